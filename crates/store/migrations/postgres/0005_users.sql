-- The people who use the dashboard: who they are, how they sign in, and where they are signed in. They are the
-- operator's people and no authorizers: e-mail addresses and names stand in the clear.

-- Whether every user must have a second factor.
ALTER TABLE requesters ADD COLUMN second_factor_required boolean NOT NULL DEFAULT false;

-- About when a key was last used: written now and then, never by a request.
ALTER TABLE api_keys ADD COLUMN last_used_at bigint;

CREATE TABLE users (
    user_id        uuid PRIMARY KEY,
    requester_id   uuid NOT NULL REFERENCES requesters (requester_id),
    -- Lower case; unique over the whole server.
    email          text COLLATE "C" NOT NULL UNIQUE,
    display_name   text NOT NULL,
    -- 1 admin, 2 operator, 3 viewer.
    role           smallint NOT NULL CHECK (role IN (1, 2, 3)),
    -- argon2id, as a PHC string; empty until the user sets one.
    password_hash  text,
    -- The second factor's secret, sealed; empty without one.
    totp_secret    bytea,
    -- The step of the last code that was taken: none is taken twice.
    totp_last_step bigint,
    created_at     bigint NOT NULL,
    signed_in_at   bigint,
    disabled_at    bigint,
    UNIQUE (requester_id, user_id),
    CHECK ((totp_secret IS NULL) = (totp_last_step IS NULL))
);

-- The one link by which a user sets a password. It goes when it is used.
CREATE TABLE user_links (
    user_id      uuid PRIMARY KEY,
    requester_id uuid NOT NULL,
    -- SHA-256 of the token, which has 256 random bits of its own.
    token_hash   bytea NOT NULL UNIQUE,
    created_at   bigint NOT NULL,
    expires_at   bigint NOT NULL,
    FOREIGN KEY (requester_id, user_id) REFERENCES users (requester_id, user_id)
);

CREATE TABLE sessions (
    session_id           uuid PRIMARY KEY,
    requester_id         uuid NOT NULL,
    user_id              uuid NOT NULL,
    -- SHA-256 of the token, which has 256 random bits of its own.
    token_hash           bytea NOT NULL UNIQUE,
    created_at           bigint NOT NULL,
    -- Written once a minute at most.
    seen_at              bigint NOT NULL,
    expires_at           bigint NOT NULL,
    address              text,
    user_agent           text,
    second_factor_passed boolean NOT NULL,
    -- Wrong codes of the second factor.
    wrong_codes          integer NOT NULL DEFAULT 0,
    -- The secret of a second factor that is being set up here, sealed.
    new_totp_secret      bytea,
    FOREIGN KEY (requester_id, user_id) REFERENCES users (requester_id, user_id)
);

CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_expired ON sessions (expires_at);

-- What stands in for the second factor when the device is lost, each once.
CREATE TABLE recovery_codes (
    user_id      uuid NOT NULL,
    -- SHA-256 of the code, which has 80 random bits of its own.
    code_hash    bytea NOT NULL,
    requester_id uuid NOT NULL,
    used_at      bigint,
    PRIMARY KEY (user_id, code_hash),
    FOREIGN KEY (requester_id, user_id) REFERENCES users (requester_id, user_id)
);

-- Wrong tries at each e-mail address, whether or not somebody has it: the waits that follow tell nothing about that.
CREATE TABLE sign_in_tries (
    -- A hash under the master key: somebody may have typed a password here.
    email_hash  bytea PRIMARY KEY,
    wrong       integer NOT NULL,
    next_try_at bigint NOT NULL,
    tried_at    bigint NOT NULL
);

CREATE INDEX sign_in_tries_oldest ON sign_in_tries (tried_at);

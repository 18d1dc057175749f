-- The people who use the dashboard: who they are, how they sign in, and where they are signed in. They are the
-- operator's people and no authorizers: e-mail addresses and names stand in the clear.

-- Whether every user must have a second factor.
ALTER TABLE requesters ADD COLUMN second_factor_required INTEGER NOT NULL DEFAULT false;

-- About when a key was last used: written now and then, never by a request.
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;

CREATE TABLE users (
    user_id        BLOB PRIMARY KEY,
    requester_id   BLOB NOT NULL REFERENCES requesters (requester_id),
    -- Lower case; unique over the whole server.
    email          TEXT NOT NULL UNIQUE,
    display_name   TEXT NOT NULL,
    -- 1 admin, 2 operator, 3 viewer.
    role           INTEGER NOT NULL CHECK (role IN (1, 2, 3)),
    -- argon2id, as a PHC string; empty until the user sets one.
    password_hash  TEXT,
    -- The second factor's secret, sealed; empty without one.
    totp_secret    BLOB,
    -- The step of the last code that was taken: none is taken twice.
    totp_last_step INTEGER,
    created_at     INTEGER NOT NULL,
    signed_in_at   INTEGER,
    disabled_at    INTEGER,
    UNIQUE (requester_id, user_id),
    CHECK ((totp_secret IS NULL) = (totp_last_step IS NULL))
) STRICT, WITHOUT ROWID;

-- The one link by which a user sets a password. It goes when it is used.
CREATE TABLE user_links (
    user_id      BLOB PRIMARY KEY,
    requester_id BLOB NOT NULL,
    -- SHA-256 of the token, which has 256 random bits of its own.
    token_hash   BLOB NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    FOREIGN KEY (requester_id, user_id) REFERENCES users (requester_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    session_id           BLOB PRIMARY KEY,
    requester_id         BLOB NOT NULL,
    user_id              BLOB NOT NULL,
    -- SHA-256 of the token, which has 256 random bits of its own.
    token_hash           BLOB NOT NULL UNIQUE,
    created_at           INTEGER NOT NULL,
    -- Written once a minute at most.
    seen_at              INTEGER NOT NULL,
    expires_at           INTEGER NOT NULL,
    address              TEXT,
    user_agent           TEXT,
    second_factor_passed INTEGER NOT NULL,
    -- Wrong codes of the second factor.
    wrong_codes          INTEGER NOT NULL DEFAULT 0,
    -- The secret of a second factor that is being set up here, sealed.
    new_totp_secret      BLOB,
    FOREIGN KEY (requester_id, user_id) REFERENCES users (requester_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_expired ON sessions (expires_at);

-- What stands in for the second factor when the device is lost, each once.
CREATE TABLE recovery_codes (
    user_id      BLOB NOT NULL,
    -- SHA-256 of the code, which has 80 random bits of its own.
    code_hash    BLOB NOT NULL,
    requester_id BLOB NOT NULL,
    used_at      INTEGER,
    PRIMARY KEY (user_id, code_hash),
    FOREIGN KEY (requester_id, user_id) REFERENCES users (requester_id, user_id)
) STRICT, WITHOUT ROWID;

-- Wrong tries at each e-mail address, whether or not somebody has it: the waits that follow tell nothing about that.
CREATE TABLE sign_in_tries (
    -- A hash under the master key: somebody may have typed a password here.
    email_hash  BLOB PRIMARY KEY,
    wrong       INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    tried_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_tries_oldest ON sign_in_tries (tried_at);

"""A short campaign of made-up requests; scripts/schemathesis runs a long one."""

import made_up


def test_a_thousand_made_up_requests_find_nothing(tmp_path):
    answers = made_up.run(least=1_000, seed=1, folder=tmp_path)
    # Whoever only ever meets refusals has tested little.
    assert {200, 201, 400, 401, 403} <= set(answers)

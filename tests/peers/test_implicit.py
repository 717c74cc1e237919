"""The reasons of factors are those that implicit gives itself."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from whyrec import SDK

als = pytest.importorskip("implicit.als", reason="implicit is not installed: pip install implicit")

N_USERS, N_ITEMS = 60, 40


@pytest.fixture(scope="module", params=[1.0, 12.0])
def fitted(request: pytest.FixtureRequest) -> tuple[Any, Any, SDK]:
    random = np.random.default_rng(0)
    matrix: Any = scipy.sparse.random(
        N_USERS, N_ITEMS, 0.2, "csr", np.float32, random, lambda n: random.integers(1, 6, n)
    )
    model = als.AlternatingLeastSquares(
        factors=12, alpha=request.param, regularization=0.05, num_threads=1, random_state=0
    )
    model.fit(matrix, show_progress=False)
    rows = matrix.tocoo()
    # fmt: off
    sdk = SDK.from_factors(
        model.user_factors, model.item_factors,
        pd.DataFrame({"user_id": rows.row, "item_id": rows.col, "value": rows.data}),
        user_ids=range(N_USERS), item_ids=range(N_ITEMS),
        alpha=model.alpha, regularization=model.regularization,
    )
    # fmt: on
    return model, matrix, sdk


def test_reasons_equal_those_of_implicit(fitted: tuple[Any, Any, SDK]) -> None:
    model, matrix, sdk = fitted
    n_reasons = 0
    for user in range(0, N_USERS, 3):
        for item in range(0, N_ITEMS, 5):
            score, theirs, _ = model.explain(user, matrix, item, N=N_ITEMS)
            ours = sdk.explain(user, item)
            assert ours.score == pytest.approx(score, abs=1e-4)
            found = {reason.source: reason.contribution for reason in ours.reasons}
            assert set(found) <= {int(each) for each, _ in theirs}
            for each, contribution in theirs:
                assert found.get(int(each), 0.0) == pytest.approx(contribution, abs=1e-4)
            n_reasons += len(theirs)
    assert n_reasons > 500

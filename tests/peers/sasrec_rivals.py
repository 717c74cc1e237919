"""How far reasons for RecTools' SASRec are from Shapley values, as JSON; in its environment."""

import json
import runpy
import sys

import torch
from bench.event_rivals import relative_errors

from whyrec.types import Int64Array


def main() -> None:
    asked, sdk = runpy.run_path("examples/rectools_sasrec.py")["wrapped"]()

    def gradients(items: Int64Array, vector: torch.Tensor) -> torch.Tensor:
        """Give each event a row of its own in the table, so that each has its own gradient."""
        filling, kept = asked.vectors[:1].detach(), items[-asked.length :]
        events = asked.vectors[torch.from_numpy(kept) + asked.first].detach().requires_grad_()
        x = torch.zeros(1, asked.length, dtype=torch.long)
        x[0, -len(kept) :] = torch.arange(1, len(kept) + 1)
        table = torch.cat([filling, events])
        score = asked.net.encode_sessions({"x": x}, table)[0, -1] @ vector
        (found,) = torch.autograd.grad(score, events)
        told: torch.Tensor = (found * events).sum(-1).detach()
        return torch.cat([torch.zeros(len(items) - len(kept)), told])

    found = relative_errors(sdk, asked.item_ids, gradients, n_users=40, n_permutations=256)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()

"""The optimizer Muon: orthogonal updates, equal for stacked and single matrices, in the direction of torch's own."""

import torch

from sekft.pretrain.muon import Muon, orthogonal


def test_an_update_has_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((3, 8, 8), (2, 6, 20), (2, 20, 6)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert values.min() > 0.6 and values.max() < 1.3


def test_a_stack_gives_what_each_matrix_gives_alone():
    torch.manual_seed(1)
    stack = torch.randn(4, 10, 6)
    alone = torch.cat([orthogonal(matrix[None]) for matrix in stack])
    torch.testing.assert_close(orthogonal(stack), alone)


def test_it_follows_torch_s_own_muon():
    """torch's computes in bfloat16, so only the direction is the same."""
    torch.manual_seed(2)
    ours = [torch.nn.Parameter(torch.randn(12, 20)), torch.nn.Parameter(torch.randn(12, 20))]
    theirs = [torch.nn.Parameter(param.detach().clone()) for param in ours]
    before = [param.detach().clone() for param in ours]
    mine = Muon(ours, lr=0.01, momentum=0.95)
    torchs = torch.optim.Muon(theirs, lr=0.01, momentum=0.95, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        grads = [torch.randn(12, 20) for _ in ours]
        for group, optimizer in ((ours, mine), (theirs, torchs)):
            for param, grad in zip(group, grads, strict=True):
                param.grad = grad.clone()
            optimizer.step()
    for param, other, start in zip(ours, theirs, before, strict=True):
        moved, wanted = (param - start).flatten(), (other - start).flatten()
        assert torch.cosine_similarity(moved, wanted, dim=0) > 0.99
        assert 0.95 < (moved.norm() / wanted.norm()) < 1.05

"""Train a loaded encoder on, with labels, in a loop of plain PyTorch.

    python examples/fine_tune.py

The clips are made up; yours are a store, its path, a list of arrays (frames, people, joints, 3) or
of `Clip`. `crosscale evaluate finetune` does the same with a schedule and a report.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import crosscale
from crosscale.synthesis import ClipName, record_clips

ACTIONS, PEOPLE, EPOCHS = (2, 6, 7, 9), 6, 8

torch.manual_seed(0)
names = [
    ClipName(subject=who, repetition=take, action=what, camera=1)
    for what in ACTIONS
    for who in range(1, 1 + PEOPLE)
    for take in (1, 2)
]
clips = [record_clips([name], seed=0)[0].coordinates for name in names]
labels = torch.tensor([ACTIONS.index(name.action) for name in names])
new = torch.tensor([name.subject > PEOPLE - 2 for name in names])  # people not seen in training

model = crosscale.load_model("body")  # or a run folder; `.to("cuda")` works
print(model)
prepared = model.prepare(clips, layout="ntu25")  # coordinates (N, 3, T, J, M), body_mask (N, M)
layer = nn.Linear(model.dim, len(ACTIONS))
optimiser = torch.optim.AdamW(
    [{"params": model.parameters(), "lr": 1e-4}, {"params": layer.parameters(), "lr": 1e-2}]
)

seen = (~new).nonzero().flatten()
for epoch in range(EPOCHS):
    model.train()
    for rows in seen[torch.randperm(len(seen))].split(16):
        vectors = model(prepared.coordinates[rows], prepared.body_mask[rows])  # (n, dim)
        loss = cross_entropy(layer(vectors), labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    with torch.inference_mode():
        found = layer(model(prepared.coordinates[new], prepared.body_mask[new])).argmax(dim=1)
    right = (found == labels[new]).float().mean()
    print(f"epoch {epoch + 1}: loss {loss:.2f}, {100 * right:.0f} % right of people never seen")

vectors = model.embed(clips, layout="ntu25")  # the embeddings of the weights as they are now
print(f"{len(vectors)} clips, {vectors.shape[1]} numbers each")

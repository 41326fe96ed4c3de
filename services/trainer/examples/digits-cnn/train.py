"""Trains a small convolutional network on pictures in folders by label, and leaves it as ONNX."""

import json
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

with open(os.environ["AIMASS_SPEC_FILE"]) as file:
    spec = json.load(file)
epochs = int(float(os.environ.get("AIMASS_PARAM_EPOCHS", "20")))
torch.manual_seed(int(os.environ["AIMASS_SEED"]) % 2**63)
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


class DigitNet(nn.Module):
    """Takes pictures as they are stored, UINT8 [N, height, width, 3], and gives the probability of each class."""

    def __init__(self, classes: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 64),
            nn.ReLU(),
            nn.Linear(64, classes),
        )

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layers(pictures[:, :, :, :1].permute(0, 3, 1, 2).float() / 255)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.logits(pictures), dim=1)


def read_pictures(folder: str) -> tuple[torch.Tensor, torch.Tensor]:
    files = [(file, index) for index, name in enumerate(spec["classes"]) for file in sorted((Path(folder) / name).iterdir())]
    pictures = np.stack([np.asarray(Image.open(file).convert("RGB")) for file, _ in files])
    return torch.from_numpy(pictures), torch.tensor([index for _, index in files])


pictures, labels = read_pictures(os.environ["AIMASS_TRAIN_DIR"])
model = DigitNet(len(spec["classes"]))
optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(1, epochs + 1):
    losses = []
    for batch in torch.randperm(len(labels)).split(32):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model.logits(pictures[batch]), labels[batch])
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    with open(os.environ["AIMASS_METRICS_FILE"], "a") as file:
        file.write(json.dumps({"step": epoch, "loss": float(np.mean(losses))}) + "\n")
    print(f"epoch {epoch}: loss {np.mean(losses):.4f}")

torch.onnx.export(
    model.eval(),
    (pictures[:2],),
    os.path.join(os.environ["AIMASS_OUTPUT_DIR"], "model.onnx"),
    input_names=["image"],
    output_names=["probabilities"],
    dynamic_shapes=({0: torch.export.Dim("N")},),
    external_data=False,
)

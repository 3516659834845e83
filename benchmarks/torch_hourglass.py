"""A stacked hourglass in PyTorch with the layers of `models/hourglass.py`, to time."""

from torch import Tensor, nn


class Residual(nn.Module):
    """Normalization, ReLU and convolution, three times, around a skip."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels, features, kernel in (
            (i, o // 2, 1),
            (o // 2, o // 2, 3),
            (o // 2, o, 1),
        ):
            layers += [
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.Conv2d(channels, features, kernel, padding=kernel // 2),
            ]
        self.layers = nn.Sequential(*layers)
        self.skip = nn.Identity() if i == o else nn.Conv2d(i, o, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.layers(x)


class Hourglass(nn.Module):
    """Four halvings, each with a residual block beside, before and after."""

    def __init__(self, features: int, depth: int = 4) -> None:
        super().__init__()
        self.beside = Residual(features, features)
        self.down = Residual(features, features)
        self.inner = (
            Hourglass(features, depth - 1)
            if depth > 1
            else Residual(features, features)
        )
        self.up = Residual(features, features)

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(nn.functional.max_pool2d(x, 2))
        y = self.up(self.inner(y))
        return self.beside(x) + nn.functional.interpolate(y, scale_factor=2)


class TorchHourglass(nn.Module):
    """Images to heatmaps of 16 keypoints, one set a stack."""

    def __init__(self, stacks: int, features: int = 256, keypoints: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, stride=2, padding=3),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            Residual(64, 128),
            nn.MaxPool2d(2),
            Residual(128, 256),
            Residual(256, features),
        )
        self.bodies = nn.ModuleList(
            nn.Sequential(
                Hourglass(features),
                Residual(features, features),
                nn.Conv2d(features, features, 1),
                nn.BatchNorm2d(features),
                nn.ReLU(),
            )
            for _ in range(stacks)
        )
        self.maps = nn.ModuleList(
            nn.Conv2d(features, keypoints, 1) for _ in range(stacks)
        )
        self.merge = nn.ModuleList(
            nn.Conv2d(features, features, 1) for _ in range(stacks - 1)
        )
        self.merge_maps = nn.ModuleList(
            nn.Conv2d(keypoints, features, 1) for _ in range(stacks - 1)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        x = self.stem(image)
        found = []
        for number, (body, maps) in enumerate(zip(self.bodies, self.maps, strict=True)):
            y = body(x)
            found.append(maps(y))
            if number < len(self.merge):
                x = x + self.merge[number](y) + self.merge_maps[number](found[-1])
        return found

"""Self-supervised learning of the slice encoder's [CLS]: DINO, and LeJEPA for small batches."""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize, softmax

from models.msvlm.views import LOCAL_VIEWS

STUDENT_TEMPERATURE, TEACHER_TEMPERATURE = 0.1, 0.04
PROTOTYPES = 1024
TEACHER_MOMENTUM = 0.99
CENTRE_MOMENTUM = 0.9
HIDDEN, BOTTLENECK = 512, 128
EMBEDDING = 64
DIRECTIONS = 256
SIGREG_SHARE = 0.05
"""λ of LeJEPA, its one trade-off."""
FREQUENCIES, HIGHEST_FREQUENCY = 17, 5.0


class Embedder(nn.Module):
    """Views in HU → the embedding that the losses see."""

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, views: Tensor) -> Tensor:
        """Embedding [n, k], f32, of views [n, rows, columns]."""
        with torch.autocast(views.device.type, torch.bfloat16):
            features = self.encoder.class_features(views)  # type: ignore[operator]
        embedding: Tensor = self.head(features.float())
        return embedding


class PrototypeHead(nn.Module):
    """Three layers, then the cosine to each prototype (DINO, arXiv 2104.14294, section 3.1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Linear(width, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, BOTTLENECK)
        )
        self.prototypes = nn.Parameter(torch.randn(PROTOTYPES, BOTTLENECK))

    def forward(self, features: Tensor) -> Tensor:
        """Cosines [n, prototypes]."""
        return normalize(self.project(features), dim=1) @ normalize(self.prototypes, dim=1).T


class Dino(nn.Module):
    """A student predicts, from any view, what a slow copy of it (the teacher) says of the others (arXiv 2104.14294)."""

    def __init__(self, encoder: nn.Module, width: int) -> None:
        super().__init__()
        self.student = Embedder(encoder, PrototypeHead(width))
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.centre: Tensor
        self.register_buffer("centre", torch.zeros(PROTOTYPES))

    def forward(self, wide: Tensor, narrow: Tensor) -> Tensor:
        """Loss of global views [2n, …] and local views [LOCAL_VIEWS × n, …]."""
        with torch.no_grad():
            cosines = self.teacher(wide)
            targets = softmax((cosines - self.centre) / TEACHER_TEMPERATURE, dim=1).chunk(2)
            self.centre.lerp_(cosines.mean(0), 1.0 - CENTRE_MOMENTUM)
        students = [
            *log_softmax(self.student(wide) / STUDENT_TEMPERATURE, dim=1).chunk(2),
            *log_softmax(self.student(narrow) / STUDENT_TEMPERATURE, dim=1).chunk(LOCAL_VIEWS),
        ]
        losses = [
            -(target * student).sum(1).mean()
            for which, target in enumerate(targets)
            for view, student in enumerate(students)
            if view != which
        ]
        return torch.stack(losses).mean()

    @torch.no_grad()
    def follow(self, share_done: float) -> None:
        """Moves the teacher towards the student, ever more slowly."""
        momentum = 1.0 - (1.0 - TEACHER_MOMENTUM) * (math.cos(math.pi * share_done) + 1.0) / 2.0
        for slow, fast in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            slow.lerp_(fast, 1.0 - momentum)

    @property
    def encoder(self) -> nn.Module:
        """The encoder to keep: the teacher's, the better of the two."""
        return self.teacher.encoder


class LeJepa(nn.Module):
    """All views of a slab agree, and embeddings are an isotropic Gaussian (LeJEPA, arXiv 2511.08544): no teacher."""

    def __init__(self, encoder: nn.Module, width: int) -> None:
        super().__init__()
        head = nn.Sequential(
            nn.Linear(width, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, EMBEDDING, bias=False)
        )
        self.student = Embedder(encoder, head)

    def forward(self, wide: Tensor, narrow: Tensor, generator: torch.Generator) -> Tensor:
        """Loss of global views [2n, …] and local views [LOCAL_VIEWS × n, …]."""
        of_wide = torch.stack(self.student(wide).chunk(2))
        views = torch.cat([of_wide, torch.stack(self.student(narrow).chunk(LOCAL_VIEWS))])
        agreement = (views - of_wide.mean(0)).square().mean()
        spread = torch.stack([sigreg(view, generator) for view in views]).mean()
        return (1.0 - SIGREG_SHARE) * agreement + SIGREG_SHARE * spread

    @property
    def encoder(self) -> nn.Module:
        """The encoder to keep."""
        return self.student.encoder


def sigreg(embedding: Tensor, generator: torch.Generator) -> Tensor:
    """How far embeddings [n, k] are from a standard Gaussian, by the Epps–Pulley test along random directions.

    n ∫ |φ(t) − exp(−t²/2)|² exp(−t²/2) dt, where φ is the empirical characteristic function (LeJEPA, section 4).
    """
    directions = torch.randn(embedding.shape[1], DIRECTIONS, generator=generator, device=generator.device)
    along = embedding @ normalize(directions, dim=0)
    t = torch.linspace(-HIGHEST_FREQUENCY, HIGHEST_FREQUENCY, FREQUENCIES, device=embedding.device)
    gaussian = torch.exp(-0.5 * t**2)
    angle = along[:, :, None] * t
    error = (angle.cos().mean(0) - gaussian).square() + angle.sin().mean(0).square()
    return len(embedding) * torch.trapezoid(error * gaussian, t, dim=1).mean()

"""How much is spent on the comparison: one YAML file with volumes, grids and steps."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from models.gtgm.pretrain.preset import Triple

BUDGETS = Path(__file__).with_name("budgets")
Voxels = tuple[int, int, int]


class UnknownBudget(ValueError):
    """No budget of that name; says which there are."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sizes(_Frozen):
    """Generated volumes to learn from, with and without labels, and to test on; grids and crops."""

    unlabelled: int = Field(default=48, gt=0)
    labelled: int = Field(default=100, gt=0)
    test: int = Field(default=8, gt=0)
    thorax_mm: Triple = (6.0, 6.0, 6.0)
    thorax_patch: Voxels = (32, 32, 32)
    em_patch: Voxels = (32, 32, 32)
    em_test_voxels: Voxels = (48, 96, 96)
    """Of the middle of each of the four test volumes."""


class Amount(_Frozen):
    """Of a pretraining."""

    steps: int = Field(gt=0)
    batch: int = Field(gt=0)


class FinetuningAmount(Amount):
    """Of a fine-tuning."""

    rate: float = Field(gt=0.0)


class Budget(_Frozen):
    """Everything on which a result depends beside the code."""

    name: str
    preset: str
    """Of the pretraining; gives the encoder, too."""
    pretraining: Amount
    finetuning: FinetuningAmount
    sizes: Sizes = Sizes()


def load_budget(name: str) -> Budget:
    """The budget of that name, or of that YAML file. Raises UnknownBudget, ValidationError."""
    path = BUDGETS / f"{name}.yaml" if (BUDGETS / f"{name}.yaml").is_file() else Path(name)
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in BUDGETS.glob("*.yaml")))
        raise UnknownBudget(f"no budget {name!r}; choose one of: {known}, or give a YAML file")
    return Budget.model_validate(yaml.safe_load(path.read_text()))

"""The models of knowledge graphs by name. A new one is its file, and its line here."""

from gr_tf.models.complex import ComplEx
from gr_tf.models.distmult import DistMult
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.rotate import RotatE, RotatEL2
from gr_tf.models.simple import SimplE
from gr_tf.models.transe import TransE, TransEL1

MODELS: dict[str, type[FactorModel]] = {
    "distmult": DistMult,
    "complex": ComplEx,
    "transe": TransE,
    "transe-l1": TransEL1,
    "rotate": RotatE,
    "rotate-l2": RotatEL2,
    "simple": SimplE,
}

"""The models of knowledge graphs by name. A new one is its file, and its line here."""

from gr_tf.models.complex import ComplEx
from gr_tf.models.distmult import DistMult
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.rotate import RotatE
from gr_tf.models.simple import SimplE
from gr_tf.models.transe import TransE

MODELS: dict[str, type[FactorModel]] = {
    "distmult": DistMult,
    "complex": ComplEx,
    "transe": TransE,
    "rotate": RotatE,
    "simple": SimplE,
}

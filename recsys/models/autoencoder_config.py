"""AutoencoderConfig: every setting of the autoencoder and of its training, each checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recsys.errors import SettingError
from recsys.models.blend import Blend
from recsys.models.checks import in_range

ACTIVATIONS = ("swish", "tanh", "relu", "sigmoid", "linear")
CORRUPTIONS = ("masking", "gaussian", "salt-and-pepper")
TARGETS = ("hidden", "all")
STARTS = ("auto", "random", "spectral")
LIKELIHOODS = ("multinomial", "bernoulli", "gaussian")

_CHOICES = {
    "activation": ACTIVATIONS,
    "code_activation": ACTIVATIONS,
    "corruption": CORRUPTIONS,
    "targets": TARGETS,
    "start": STARTS,
    "likelihood": LIKELIHOODS,
    **dict.fromkeys(("dense", "norm", "variational", "conditional"), (True, False)),
}


@dataclass(frozen=True)
class AutoencoderConfig:
    """What the autoencoder is and how it learns. `recsys.models.presets` has named sets of these.

    Its two paths:
    - linear: the parts of the linear path (`recsys.linear.path`), each with its kind, weight and settings; auto: chosen
      on held-out rows; none: the deep path alone.
    - blend: share of the deep path in the scores, and the temperature of its probabilities (`recsys.models.blend`);
      auto: chosen on held-out rows. A share of 0 leaves the linear path alone.
    - recency: what fades in a history when somebody is scored: an entry with k later ones counts (1 + k)^-recency
      (`recsys.recency`), where times or places are known. None: chosen on held-out rows where what they hide is the
      latest and there is a linear path, else 0.

    The deep network:
    - layers: widths of the encoder's hidden layers; none makes the code straight from the items.
    - bottleneck: width of the code. decoder_layers: widths of the decoder's hidden layers.
    - dense: each of the encoder's layers sees all layers before it, not only the last.
    - activation: of the hidden layers; code_activation: of the code. swish, tanh, relu, sigmoid or linear.
    - norm: LayerNorm after every hidden layer. Without it the weights start as Glorot's, which need none.
    - input_dropout: share of a unit-length history dropped before the first layer, the rest scaled up (Mult-DAE's
      noise); dropout: of the code. Both in training only.

    What it has to restore (`recsys.training.corruption`):
    - corruption: masking hides entries, at a rate drawn for each row between mask_low and mask_high (equal: fixed);
      gaussian adds noise to their strengths; salt-and-pepper removes some and adds as many items never touched.
    - noise: of gaussian, the deviation as a share of the row's mean strength; of salt-and-pepper, the share of entries.
    - targets: hidden, only what was hidden; all, the whole history.
    - attribute_dropout: share of people whose attributes are hidden, where there are any.

    What it minimises (`recsys.training.objective`):
    - likelihood: of the targets: multinomial, bernoulli or gaussian. confidence: for the last two, how much more an
      item touched counts than one not touched.
    - user_exponent: a person counts with the number of their targets to this power; 1 is the plain sum over targets.
    - variational: the code is a distribution, kept near N(0, I) with the weight beta, reached in anneal_steps steps.
    - conditional: encoder and decoder are told the attributes of the person (FitOptions.attributes).
    - contractive: weight of the code's slope with respect to the history.

    Its training: start (random; spectral: first layer and decoder from a truncated SVD; auto: spectral from 20,000
    items on), negatives (items drawn for a step's likelihood beside its targets; 0: the whole catalogue; None: 0, from
    20,000 items on 6,000), learning_rate, weight_decay (None: 2; on small data 4, or what held-out rows say),
    batch_size, epochs (at most; None: 50, from 20,000 items on 15), patience (epochs without a better one before
    stopping), average (decay of the running average of the weights that is kept as the model; 0: none).

    The defaults were chosen on validation users of MovieLens 1M (docs/experiments.md). The weight decay is far above
    what is usual, and most of the quality: a history of a hundred items must not be learnt by heart.
    Raises SettingError, by name, for a setting out of its range or settings that contradict each other.
    """

    linear: str | Sequence[Mapping[str, Any]] = "auto"
    blend: str | Mapping[str, Any] = "auto"
    recency: float | None = None

    layers: Sequence[int] = (600, 600, 600, 600)
    bottleneck: int = 300
    decoder_layers: Sequence[int] = ()
    dense: bool = True
    activation: str = "swish"
    code_activation: str = "linear"
    norm: bool = True
    input_dropout: float = 0.0
    dropout: float = 0.5

    corruption: str = "masking"
    mask_low: float = 0.2
    mask_high: float = 0.8
    noise: float = 0.2
    targets: str = "hidden"
    attribute_dropout: float = 0.1

    likelihood: str = "multinomial"
    confidence: float = 1.0
    user_exponent: float = 0.5
    variational: bool = False
    beta: float = 0.2
    anneal_steps: int = 0
    conditional: bool = False
    contractive: float = 0.0

    start: str = "auto"
    negatives: int | None = None
    learning_rate: float = 4e-3
    weight_decay: float | None = None
    batch_size: int = 512
    epochs: int | None = None
    patience: int = 15
    average: float = 0.99

    def __post_init__(self) -> None:
        for name in ("layers", "decoder_layers"):
            object.__setattr__(self, name, _widths(name, getattr(self, name)))  # JSON brings a list back
        self._check_paths()
        if self.recency is not None:
            in_range("recency", self.recency, 0, 10)
        for name, choices in _CHOICES.items():
            _one_of(name, getattr(self, name), choices)
        in_range("bottleneck", self.bottleneck, 1, 65_536, whole=True)
        in_range("input_dropout", self.input_dropout, 0, 0.99)
        in_range("dropout", self.dropout, 0, 0.99)
        self._check_corruption()
        in_range("attribute_dropout", self.attribute_dropout, 0, 1)
        in_range("confidence", self.confidence, 0, 1e6)
        in_range("user_exponent", self.user_exponent, 0, 1)
        in_range("beta", self.beta, 0, 1e6)
        in_range("anneal_steps", self.anneal_steps, 0, whole=True)
        in_range("contractive", self.contractive, 0, 1e6)
        if self.negatives is not None:
            in_range("negatives", self.negatives, 0, whole=True)
            if self.negatives and self.likelihood != "multinomial":
                raise SettingError(
                    f"negatives must be 0 where likelihood is {self.likelihood}: only multinomial sums can be sampled",
                    do="leave negatives out",
                )
        in_range("learning_rate", self.learning_rate, 0, 100)
        if self.weight_decay is not None:
            in_range("weight_decay", self.weight_decay, 0, 100)
        in_range("batch_size", self.batch_size, 1, whole=True)
        if self.epochs is not None:
            in_range("epochs", self.epochs, 1, whole=True)
        in_range("patience", self.patience, 1, whole=True)
        in_range("average", self.average, 0, 0.999999)
        if self.variational and self.code_activation != "linear":
            raise SettingError(
                f"code_activation must be linear where variational is true, not '{self.code_activation}'",
                do="a variational code is the mean of a normal distribution: leave code_activation out",
            )

    @property
    def parts(self) -> Sequence[Mapping[str, Any]]:
        """The settings of the linear path's parts, none while they are open."""
        return () if isinstance(self.linear, str) else self.linear

    @property
    def mixture(self) -> Blend | None:
        """How the paths are blended, None while that is open."""
        return None if isinstance(self.blend, str) else Blend.of(self.blend)

    @property
    def settled(self) -> bool:
        """Is nothing left that a fit chooses on held-out rows?"""
        return not isinstance(self.linear, str) and None not in (self.mixture, self.weight_decay, self.recency)

    def _check_paths(self) -> None:
        if isinstance(self.linear, str):
            _one_of("linear", self.linear, ("auto", "none"))
        else:
            object.__setattr__(self, "linear", tuple(dict(one) for one in self.linear))
            for one in self.linear:
                if not isinstance(one, Mapping) or "kind" not in one or "weight" not in one:
                    raise SettingError(f"a part of linear needs a kind and a weight, not {one!r}")
        if isinstance(self.blend, str):
            _one_of("blend", self.blend, ("auto",))
        else:
            Blend.of(self.blend)

    def _check_corruption(self) -> None:
        hides = self.targets == "hidden"  # there must be something to find
        in_range("mask_low", self.mask_low, 0, 1)
        in_range("mask_high", self.mask_high, max(self.mask_low, 1e-3 if hides else 0), 1)
        if self.corruption == "salt-and-pepper":
            in_range("noise", self.noise, 1e-3 if hides else 0, 1)
        else:
            in_range("noise", self.noise, 0, 100)
        if self.corruption == "gaussian" and hides:
            raise SettingError(
                "targets must be all where corruption is gaussian: noise on the strengths hides nothing",
                do="add targets=all, or use corruption=masking",
            )


def _widths(name: str, value: object) -> tuple[int, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise SettingError(f"{name} must be a list of widths, not {value!r}", do="for example [600, 600]")
    for width in value:
        in_range(name, width, 1, 65_536, whole=True)
    return tuple(value)


def _one_of(name: str, value: object, choices: Sequence[object]) -> None:
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        shown = ", ".join(str(choice).lower() for choice in choices)
        raise SettingError(f"{name} must be one of {shown}, not {value!r}")

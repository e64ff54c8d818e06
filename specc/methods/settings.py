"""The settings that a spec may give: `train { }`, `search { }` and `data name(...)`, with their defaults.

Numbers are exact; a value with a unit arrives in its base unit (`10M` is 10,000,000, `1ms` is 1/1000 of a second).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from specc.ir.parameter import Call, ListOf, Parameter, SameAs, Signature, Variants, Words
from specc.outputs import metric_words
from specc.outputs.protocol import LOSSES

OPTIMIZERS: Final = (
    Signature(
        "sgd",
        (
            Parameter("lr", "number", Fraction(1, 10), "highest learning rate", above=0),
            Parameter("momentum", "number", Fraction(9, 10), below=1),
            Parameter("weight_decay", "number", 0, most=1),
            Parameter("nesterov", "flag", False),
        ),
        "stochastic gradient descent",
    ),
    Signature(
        "adamw",
        (
            Parameter("lr", "number", Fraction(1, 1000), "highest learning rate", above=0),
            Parameter("weight_decay", "number", Fraction(1, 100), "decoupled from the gradient", most=1),
            Parameter("beta1", "number", Fraction(9, 10), below=1),
            Parameter("beta2", "number", Fraction(999, 1000), below=1),
            Parameter("eps", "number", Fraction(1, 10**8), above=0),
        ),
        "Adam with decoupled weight decay",
    ),
    Signature(
        "rmsprop",
        (
            Parameter("lr", "number", Fraction(1, 100), "highest learning rate", above=0),
            Parameter("momentum", "number", Fraction(9, 10), below=1),
            Parameter("weight_decay", "number", 0, most=1),
            Parameter("alpha", "number", Fraction(9, 10), "decay of the squared gradients' mean", below=1),
            Parameter("eps", "number", Fraction(316, 10_000), "added to its root", above=0),
        ),
        "gradients divided by their running size, as MobileNetV3 and EfficientNet are trained",
    ),
)

WARMUP: Final = (
    Parameter("warmup", "number", 0, "epochs of linear warm-up before the schedule"),
    Parameter("warmup_from", "number", Fraction(1, 100), "the first rate of all, as a share of the highest", below=1),
)

RESTARTS: Final = (
    Parameter("restarts", ListOf("number"), (), "where the schedule begins anew: epochs; below 1: shares of the run"),
    Parameter("peaks", ListOf("number"), (), "the rate that each restart begins from, as a share of the highest"),
    Parameter("warmups", ListOf("number"), (), "epochs of warm-up after each restart; none: `warmup` after all"),
)

SCHEDULES: Final = (
    Signature("constant", WARMUP, "a constant rate"),
    Signature(
        "cosine",
        (
            WARMUP[0],
            Parameter("final", "number", 0, "the last rate, as a share of the highest", most=1),
            WARMUP[1],
            *RESTARTS,
        ),
        "half a cosine from the highest rate to the last, a little at every step",
    ),
    Signature(
        "linear",
        (
            WARMUP[0],
            Parameter("final", "number", 0, "the last rate, as a share of the highest", most=1),
            WARMUP[1],
            *RESTARTS,
        ),
        "linear decay from the peak rate to the last",
    ),
    Signature(
        "multistep",
        (
            Parameter("milestones", ListOf("number"), doc="epochs; below 1: shares of the run, as in [0.5, 0.75]"),
            Parameter("gamma", "number", Fraction(1, 10), "what the rate is multiplied with at each", above=0, below=1),
            *WARMUP,
        ),
        "a drop at each milestone",
    ),
    Signature(
        "exponential",
        (
            Parameter("gamma", "number", doc="what the rate is multiplied with at each", above=0, below=1),
            Parameter("every", "number", 1, "epochs between two drops", above=0),
            *WARMUP,
        ),
        "drops at even distances: a small one every epoch, or a tenth every 30 epochs",
    ),
)

INITIALISATIONS: Final = (
    Signature("default", (), "every layer as PyTorch initialises it"),
    Signature(
        "msra",
        (
            Parameter("fan", Words(("out", "in")), "out", "of the values that a convolution feeds, or that feed it"),
            Parameter("linear", "number", 0, "standard deviation of linear layers' weights; 0: as PyTorch does"),
        ),
        "convolutions normal with variance 2 / fan (He et al., 2015), norms 1 and 0, biases 0",
    ),
    Signature(
        "trunc_normal",
        (Parameter("std", "number", Fraction(2, 100), "standard deviation of all weights", above=0),),
        "all weights normal, cut at two standard deviations, biases 0: as vision transformers start",
    ),
    Signature(
        "xavier",
        (),
        "linear layers uniform with variance 2 / (inputs + outputs) (Glorot and Bengio, 2010), convolutions normal "
        "with variance 1 / inputs, biases 0",
    ),
)

AUGMENTATIONS: Final = (
    Signature("flip", (), "left-right, every second image"),
    Signature(
        "crop",
        (Parameter("padding", "integer", 4, "pixels added on every side before cutting"),),
        "shifted by at most `padding` pixels",
    ),
    Signature(
        "affine",
        (
            Parameter("degrees", "number", 10, "rotated by at most so much", most=180),
            Parameter("scale", "number", Fraction(1, 10), "enlarged or shrunk by at most this share", below=1),
            Parameter("shift", "number", Fraction(1, 10), "moved by at most this share of the image", most=1),
            Parameter("shear", "number", 0, "largest slant, in degrees", below=90),
        ),
        "small rotations, scalings, shifts and shears",
    ),
    Signature(
        "resized_crop",
        (Parameter("smallest", "number", Fraction(8, 100), "least share of the image's area", above=0, most=1),),
        "a random part, resized: ImageNet's usual crop",
    ),
    Signature(
        "color_jitter",
        (
            Parameter("strength", "number", Fraction(4, 10), most=1),
            Parameter("brightness", "number", SameAs("strength"), most=1),
            Parameter("contrast", "number", SameAs("strength"), most=1),
            Parameter("saturation", "number", SameAs("strength"), most=1),
        ),
        "brightness, contrast and saturation, each by at most this share",
    ),
    Signature(
        "lighting",
        (Parameter("strength", "number", Fraction(1, 10), "standard deviation along each principal component"),),
        "a shift along the principal components of ImageNet's colours (Krizhevsky et al., 2012)",
    ),
    Signature(
        "randaugment",
        (
            Parameter("operations", "integer", 2, "one after another, drawn for every image"),
            Parameter("magnitude", "count", 9, "how strong they are, of 30", below=31),
        ),
        "RandAugment (Cubuk et al., 2020)",
    ),
    Signature(
        "autoaugment",
        (Parameter("policy", Words(("imagenet", "cifar10", "svhn")), "imagenet", "the data it was learnt on"),),
        "AutoAugment (Cubuk et al., 2019)",
    ),
    Signature("trivialaugment", (), "TrivialAugment, wide: one operation of any strength (Muller and Hutter, 2021)"),
    Signature(
        "erase",
        (Parameter("probability", "number", Fraction(1, 4), "the share of images it happens to", most=1),),
        "a random rectangle becomes noise",
    ),
)

COSTS: Final = ("macs", "params", "latency", "memory")
USUAL: Final = Signature("usual", (), "the first of what goes with the outputs")

TRAIN: Final = Signature(
    "train",
    (
        Parameter("epochs", "integer", 100, "passes over the training images"),
        Parameter("batch_size", "integer", 128, "images a step, on all processes together"),
        Parameter(
            "optimizer",
            Variants(OPTIMIZERS),
            Call(
                "sgd",
                (("lr", Fraction(1, 10)), ("momentum", Fraction(9, 10)), ("weight_decay", 0), ("nesterov", False)),
            ),
        ),
        Parameter(
            "schedule",
            Variants(SCHEDULES),
            Call("cosine", tuple((p.name, p.default) for p in SCHEDULES[1].parameters)),
        ),
        Parameter(
            "no_decay",
            ListOf(Words(("bias", "norm", "depthwise", "position", "class_token"))),
            (),
            "parameters that weight decay spares",
        ),
        Parameter("init", Variants(INITIALISATIONS), Call("default"), "how the weights start"),
        Parameter(
            "start",
            "text",
            "",
            "weights to start from: of an import, of this network trained before, also by another method",
        ),
        Parameter(
            "sort",
            Words(("l1", "l2", "taylor", "tas", "none")),
            "l1",
            "by which importance channels are sorted at the start, so that narrow sub-networks keep the important ones",
        ),
        Parameter("freeze", ListOf("text"), (), "stages and layers whose weights do not learn"),
        Parameter(
            "layer_decay",
            "number",
            1,
            "the learning rate of a block as a share of the next one's; 1: one rate for all",
            above=0,
            most=1,
        ),
        Parameter("zero_init_residual", "flag", False, "the last norm of every residual's body starts at 0"),
        Parameter(
            "loss", Variants((USUAL, *LOSSES)), Call("usual"), "what outputs learn by; `usual`: that of their kind"
        ),
        Parameter("label_smoothing", "number", 0, "share of a label that goes to all classes alike", below=1),
        Parameter("mixup", "number", 0, "mixes two images and their labels by a share from Beta(x, x); 0: never"),
        Parameter("cutmix", "number", 0, "pastes a part of another image by a share from Beta(x, x); 0: never"),
        Parameter("repeats", "integer", 1, "repetitions per image in its batch, each augmented anew"),
        Parameter("accumulate", "integer", 1, "parts that a batch is cut into, where it does not fit into memory"),
        Parameter("clip", "number", 0, "the gradients' norm is cut to this; 0: never"),
        Parameter("augment", ListOf(Variants(AUGMENTATIONS)), (), "applied in this order to every training image"),
        Parameter("amp", "flag", False, "mixed precision, where the device has it"),
        Parameter(
            "ema", "number", 0, "decay a step of the weights' moving average, which is evaluated; 0: none", below=1
        ),
        Parameter("calibrate", "count", 1024, "training images that set a sub-network's norms before it is evaluated"),
        Parameter("evaluate_every", "integer", 1, "epochs between evaluations"),
        Parameter("seed", "count", 0, "of weights, order of images, augmentation and drawn sub-networks"),
    ),
    "how the generated train.py trains; its flags override each of these",
)

LEAST: Final = Parameter("least", "number", 0, "the least that it may be")
SHORTEST: Final = Parameter("least", "seconds", 0, "the least that it may be")

BUDGETS: Final = (
    Signature("macs", (Parameter("most", "number", doc="multiply-accumulates of one image", above=0), LEAST)),
    Signature("params", (Parameter("most", "number", doc="parameters in use", above=0), LEAST)),
    Signature(
        "latency", (Parameter("most", "seconds", doc="median measured time of one image, as in 5ms", above=0), SHORTEST)
    ),
    Signature(
        "memory", (Parameter("most", "number", doc="peak activation memory of one image, in bytes", above=0), LEAST)
    ),
)

EVALUATIONS: Final = Parameter(
    "evaluations", "integer", 512, "sub-networks evaluated in all; a smaller space is enumerated"
)

STRATEGIES: Final = (
    Signature("exhaustive", (), "every sub-network of the space"),
    Signature(
        "evolution",
        (
            EVALUATIONS,
            Parameter("population", "integer", 32, "how many live on, and how many children they have at a time"),
            Parameter(
                "mutation",
                "number",
                0,
                "the probability that a choice of a child is drawn anew; 0: one choice of each child, on average",
                below=1,
            ),
        ),
        "NSGA-II: random ones first, then children of those that few others dominate",
    ),
    Signature("random", (EVALUATIONS,), "the largest and the smallest, and others drawn uniformly within the budgets"),
    Signature(
        "pools",
        (EVALUATIONS, Parameter("windows", "integer", 16, "of equal width, along the first cost one can draw by")),
        "drawn uniformly within one window of cost after another, so that every cost is covered alike",
    ),
)

SEARCH: Final = Signature(
    "search",
    (
        Parameter(
            "objectives",
            ListOf(Words((*metric_words(), *COSTS))),
            ("accuracy", "macs"),
            "the metric of what is predicted, and the costs that it is weighed against",
        ),
        Parameter(
            "strategy",
            Variants(STRATEGIES),
            Call("evolution", (("evaluations", 512), ("population", 32), ("mutation", 0))),
        ),
        Parameter(
            "budgets", ListOf(Variants(BUDGETS)), (), "constraints that every sub-network of the front satisfies"
        ),
        Parameter("calibrate", "count", 1024, "images for batch-norm calibration of each candidate"),
        Parameter("seed", "count", 0),
    ),
    "how the generated search.py searches; its flags override each of these",
)


def dataset(name: str, validation: Fraction, doc: str, *more: Parameter) -> Signature:
    """A data set. Each takes its path, and the share of its training images that is held out for the search."""
    return Signature(
        name,
        (
            Parameter("path", "text", "", "the folder that holds it; nothing is ever downloaded"),
            Parameter(
                "validation",
                "number",
                validation,
                "share of the training images kept from training, for the search",
                below=1,
            ),
            Parameter("seed", "count", 0, "of the splits that the data set does not bring with it"),
            *more,
        ),
        doc,
    )


TEST_SHARE: Final = Parameter("test", "number", Fraction(1, 5), "share of all images held out for testing", below=1)

DATASETS: Final = (
    dataset("digits", Fraction(1, 4), "1,797 handwritten digits of 8x8 pixels, part of scikit-learn", TEST_SHARE),
    dataset(
        "glyphs",
        Fraction(1, 5),
        "13,800 pictures of 46 characters, 32x32 in colour, rendered from Pillow's own font",
        Parameter("images", "integer", 11_500, "training images, the validation part among them"),
        Parameter("test_images", "integer", 2_300, "test images"),
        Parameter(
            "classes",
            "integer",
            46,
            "the number of classes: the first of 0-9, A-Z without O, and 11 small letters",
            below=47,
        ),
        Parameter("size", "integer", 32, "pixels a side"),
    ),
    dataset(
        "scenes",
        Fraction(1, 5),
        "5,000 rendered scenes of up to four shapes, with targets of every kind",
        Parameter("images", "integer", 4_000, "training images, the validation part among them"),
        Parameter("test_images", "integer", 1_000, "test images"),
        Parameter("size", "integer", 48, "pixels a side of what the network sees"),
        Parameter("shapes", "integer", 8, "how many kinds of shapes there are", below=9),
        Parameter("objects", "integer", 4, "objects in a scene at most", below=5),
        Parameter("noise", "number", Fraction(1, 10), "standard deviation, where the image is to be restored", below=1),
    ),
    dataset(
        "sounds",
        Fraction(1, 5),
        "3,000 synthesised words of 12 kinds, a second each",
        Parameter("images", "integer", 2_400, "training sounds, the validation part among them"),
        Parameter("test_images", "integer", 600, "test sounds"),
        Parameter("classes", "integer", 12, "how many words there are", below=13),
        Parameter("form", Words(("spectrogram", "signal")), "spectrogram", "images 1x49x10, or signals"),
        Parameter("noise", "number", Fraction(1, 10), "the loudest noise behind, of 1 for the whole range", below=1),
    ),
    dataset(
        "table",
        Fraction(1, 5),
        "a CSV file of yours: `path` is the file",
        Parameter("target", "text", "", "the column to predict, or several with commas between; the last one"),
        TEST_SHARE,
    ),
    dataset("iris", Fraction(1, 5), "150 flowers of 3 kinds, 4 measures each, part of scikit-learn", TEST_SHARE),
    dataset("wine", Fraction(1, 5), "178 wines of 3 kinds, 13 measures each, part of scikit-learn", TEST_SHARE),
    dataset("breast_cancer", Fraction(1, 5), "569 tumours, 30 measures each, part of scikit-learn", TEST_SHARE),
    dataset(
        "diabetes",
        Fraction(1, 5),
        "442 patients, 10 measures each, and how their illness went, part of scikit-learn",
        TEST_SHARE,
    ),
    dataset("mnist", Fraction(1, 12), "70,000 handwritten digits, 28x28"),
    dataset("fashion_mnist", Fraction(1, 12), "70,000 pieces of clothing, 28x28"),
    dataset("cifar10", Fraction(1, 10), "60,000 photographs of 10 kinds, 32x32"),
    dataset("cifar100", Fraction(1, 10), "60,000 photographs of 100 kinds, 32x32"),
    dataset("tiny_imagenet", Fraction(5, 100), "110,000 photographs of 200 kinds, 64x64"),
    dataset("imagenet", Fraction(2, 100), "1.33 million photographs of 1,000 kinds"),
    dataset("cub200", Fraction(10, 100), "11,788 photographs of 200 kinds of birds"),
    dataset(
        "folder",
        Fraction(10, 100),
        "any folder with train/ and val/ (or test/), in which every class has a folder of images",
    ),
    dataset(
        "masks",
        Fraction(10, 100),
        "a folder of images and one of masks, whose pixels are class numbers",
        TEST_SHARE,
    ),
    dataset("voc", Fraction(10, 100), "a folder as PASCAL VOC's: masks, boxes and tags", TEST_SHARE),
    dataset("coco", Fraction(5, 100), "a folder as COCO's: masks, boxes and tags", TEST_SHARE),
    dataset("own", Fraction(10, 100), "what the function `load` of a Python file of yours returns"),
)

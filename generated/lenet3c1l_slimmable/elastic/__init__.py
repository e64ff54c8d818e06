"""What does not depend on the spec, copied from specc.

Layers:
    batch_norm     Batch norm for the active channels of a sub-network, with banks and with
                   calibrated statistics
    conv           A convolution of which a sub-network may use the first channels, a smaller
                   kernel, or both
    linear         A linear layer of which a sub-network may use the first features

Choices, costs and budgets, which the compiler computes with as well:
    aim            Draws of sub-networks whose first cost lies in a window, each equally often:
                   ready to be made many times
    catch          Tries at a window until enough have hit it, or until they are too many: nothing
                   hangs
    choices        A space of sub-networks as plain data: choices, when they matter, what they cost
    conditioned    Draws where a global choice keeps a sweep from being made: its options are taken
                   one after the other
    counting       How many sub-networks there are, exactly, and draws from all of them
    functions      The functions that symbolic sizes and guards are made of, on exact numbers
    latency_table  Latency tables: what each block of a network takes, for every combination of the
                   choices that it reads
    line           One kind of cost along a sweep, in whole units from 0 on, and what can still
                   become of it
    listing        All sub-networks of a space that is not too large, one by one: numbered, without
                   being kept
    majorants      Upper bounds on how many ways lead to each row of a sweep at a cost within a
                   window, by the window's top
    memory         The most memory that the activations of a sub-network take at once, counted on
                   the graph
    nearest        What to say of a window that nothing lies in: the nearest costs that can be
                   reached
    numerals       Numbers, switches and words, read the same way in specs, on command lines and in
                   JSON
    order          The order in which a sweep takes up choices: small frontiers first
    prefixes       The ways through the first steps of a sweep, one by one, as far as they are few
    prices         Windows that exclude one another, told by prices
    ranges         The least and the most that any sub-network costs
    states         The rows of a sweep: what is known of the choices taken up, and which of them are
                   alike to the rest
    strict_json    JSON that anybody may have written: whatever is wrong with it is a ValueError,
                   every number is finite
    sweep          One pass over the choices of a space that remembers only a frontier: what draws,
                   counts and ranges are made from
    terms          A cost as a sum of tables, each read by few choices
    tilt           Tries at several windows at once: one is hit by taking aim at it, the others by
                   drawing what costs about so much more often
    timed          Uniform draws within a window of predicted latency, and of MACs and parameters
                   beside it
    triangle       Triangular connections: how many inputs each output channel sees, and how many
                   weights that leaves
    window         Uniform draws among the sub-networks whose costs lie in a window

Training, search and deployment:
    affine         Batch norms in eval mode as what they are: x * scale + shift, with scale = weight
                   / sqrt(var + eps) and shift = bias - mean * scale, for each channel
    agreement      How well a latency table predicts: its sums against the latencies of whole
                   sub-networks
    alive          The most bytes of activations that a network takes at once, measured while it
                   runs, by what torch allocates
    augment        Augmentation: words of the spec's `augment=[...]`, most of them applied to a
                   whole batch at once
    bind           Binding: one sub-network as a plain static module
    block_times    Latency tables: what every block of a network takes, for every combination of the
                   choices that it reads
    calibrate      Calibration: norm statistics of one sub-network, measured on images instead of
                   inherited from training
    checked        Whether what is written answers as the network does; and what could not be
                   written, which stops no other format
    checkpoint     Checkpoints: plain tensors, numbers and text, written whole or not at all, and
                   checked when they are read
    choosing       Which sub-networks to export: by name, by number, by limits, or several of a
                   front
    constructors   The call that makes a layer again, read off the layer itself: `nn.AvgPool2d(2,
                   ceil_mode=True)`
    covering       Few sub-networks that together have every block in every shape: the ones that a
                   latency table is measured on
    datasets       The data sets that a project can read
    decoding       From an image file to numbers: every mode that Pillow reads, whole, upright, and
                   as many channels as wanted
    deploy         Several sub-networks beside one set of weights: each is its choices and its norm
                   statistics, and nothing more
    distributed    One process or several: what `torchrun` sets up, and the little that the
                   processes tell each other
    evaluate       Evaluating sub-networks: calibrate the norms, then count
    exporting      What export.py writes of a network: its source and weights, and what of it could
                   not be written
    finite         NaN and Inf: every loss is looked at, and a run that meets one stops, before its
                   checkpoint is overwritten
    fitting        How data comes into the shapes that a network takes; and what is said where it
                   cannot
    flag_types     What flags take: numbers as specs have them (20M, 1.5, 2e-4), within their bounds
    folders        Folders of image files as people have them: what is passed over, what is refused,
                   and files checked once
    front          The Pareto front of sub-networks (TIPS' Algorithm 1)
    glyphs         Pictures of characters: harder than digits of 8x8, rendered here from Pillow's
                   own font, nothing downloaded
    images         Labelled examples, in memory or on disk, and how they are split
    initial        How weights start: `init` of the recipe
    int8           A bound network in whole numbers: weights and activations in eight bits, for
                   torch's own kernels on the CPU
    int8_files     What export.py --int8 writes: the network in eight bits as source and as ONNX,
                   and what that gains and costs
    int8_layers    Convolutions and linear layers of whole numbers, on torch's own kernels for the
                   CPU (fbgemm, on Arm qnnpack)
    int8_ranges    Which real numbers the eight bits of an activation stand for: measured on images,
                   at the least squared error
    interfaces     The few types that the parts of a project know each other by
    journal        The journal of a search: every finished evaluation as a line, so that an
                   interrupted search goes on where it was
    judge          Judging the candidates of a search: every measurement made once, remembered, and
                   shared out among the processes
    labels         Labels, hard or soft: an image's class as a number, or a share of every class, as
                   mixed images have
    latency        Latency: many rounds, and the figures that survive a busy machine
    limits         The limits of a search: on MACs and parameters as windows to draw from, and why
                   nothing keeps them
    loading        Batches: from labelled examples to normalised tensors on the device, in an order
                   that a seed fixes
    marks          Blocks timed inside their network: a moment is noted wherever a block begins,
                   while the whole network runs
    mixing         Batches of mixed images: mixup (Zhang et al., 2018) and cutmix (Yun et al., 2019)
    net            What all generated elastic networks share: the plan in use, and binding
    nsga           NSGA-II's selection (Deb et al., 2002): ranks of dominance, crowding distances,
                   and the volume under a front
    optim          Optimizers, the parameters that weight decay spares, and learning rates as
                   functions of the step
    options        settings.toml and the flags that override it, spelled as torchvision's reference
                   scripts spell them
    own            Data of one's own: what the function `load` of a Python file returns, and what is
                   said where it cannot be used
    page           A page to look at a search with: every evaluated point can be hovered, a click
                   copies its assignment
    picture        A picture of the Pareto front, as SVG and as PNG, drawn from one list of shapes
    pieces         What the steps of a straight line need of a network's layers: weights of their
                   own, or the layers themselves
    plan           Plans: which sub-network to run, as one immutable value
    programs       A static network as a torch.export program or an ONNX file, for any batch size;
                   loaded again and compared
    progress       What a run says: a progress bar, one line an epoch, metrics as JSON lines and,
                   where installed, for TensorBoard
    proposals      What a search evaluates next: generations of sub-networks, the same for the same
                   seed and results
    reading        Examples one by one, for worker processes: decoded and transformed, each by
                   random numbers of its own
    recipe         The flags of train.py that change the recipe, spelled as torchvision's reference
                   script spells them
    reshaped       Layers whose weights torch makes of other parameters: pruned ones, weight norm,
                   spectral norm, parametrizations
    resizing       Images at the resolution that a sub-network computes with
    resume         Going on from a checkpoint: with its recipe and its data, and which flags may
                   change what
    reuse          Memory that inference can do without: an activation overwrites its input where
                   nothing reads that afterwards
    schema         What a checkpoint has to look like: whoever reads one may trust the types of
                   everything that is here
    search_checks  What a search cannot be asked for: bounds of what settings.toml says in
                   `[search]`
    serving        Serving: many prepared sub-networks of one bundle, and the change from one to
                   another in a microsecond
    shapes         Shapes of what a network takes: (channels, height, width) of an image, (numbers,)
                   of a vector, or several
    sizes          The arithmetic of channel counts, on exact numbers
    source_text    Lines of Python as a formatter would lay them out: calls whose arguments take a
                   line each where one is too short
    static_source  A bound sub-network as the source of a plain module: `static_source` writes what
                   `bind` has traced
    stopping       SIGTERM, by which clusters take a machine back: the run finishes its step, writes
                   a checkpoint and goes
    straight       One sub-network as a straight line of operations, made in a millisecond or two:
                   for serving
    subnets        Sub-networks as people name them: `max`, `min`, `width=0.5,s1.depth=1` or a JSON
                   file
    synced         Batch norms whose statistics are those of all processes' batches, as
                   `nn.SyncBatchNorm`'s are: for small batches
    tensors        Tensors in files, without pickle: the safetensors format, which needs nothing but
                   torch here
    train_checks   Bounds of what `[train]` may say, in settings.toml, by flags, and in the
                   checkpoint of a run that goes on
    trainer        What every method's step stands on: mixed precision, several processes, clipping,
                   averaging
    whole          Files and folders that are there whole or not at all, whenever the power goes

The method's training step:
    independent    The training step of slimmable networks (Yu et al., 2019): every listed
                   sub-network learns the labels
"""

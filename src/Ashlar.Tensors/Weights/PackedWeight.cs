namespace Ashlar;

/// <summary>A weight matrix in the form that products read fastest: encoded, and laid out for dot instructions and tile units
/// alike.</summary>
/// <remarks>
/// The bytes are the same on every machine (<see cref="WeightLayout"/>), so they can be written to a file and mapped again. The
/// original is not needed any more. Immutable; no gradient flows into it.
/// </remarks>
public sealed class PackedWeight
{
    /// <summary>A weight whose bytes were packed before, such as those of a mapped cache file.</summary>
    /// <param name="encoding">How numbers are stored.</param>
    /// <param name="rows">Outputs (N) of each matrix.</param>
    /// <param name="columns">Inputs (K) of each matrix.</param>
    /// <param name="data">uint8, exactly as many as <see cref="BytesOf"/> says.</param>
    /// <param name="count">How many matrices; more than 1 for experts.</param>
    /// <exception cref="ShapeException">The bytes do not fit (ASH0641).</exception>
    public PackedWeight(WeightEncoding encoding, long rows, long columns, Tensor data, long count = 1)
    {
        ArgumentNullException.ThrowIfNull(encoding);
        ArgumentNullException.ThrowIfNull(data);
        Attributes = new(encoding, rows, columns, count);
        if (data.DType != DType.UInt8 || data.Rank != 1 || data.Shape[0] != BytesOf(encoding, rows, columns, count))
            throw new ShapeException("ASH0641",
                $"{count} times {rows} by {columns} in {encoding} are {BytesOf(encoding, rows, columns, count)} bytes, but the data is {data.Type}.",
                "pass the bytes that were packed with this encoding and these extents.");
        Data = data;
    }

    /// <summary>Which layout the bytes have: files of another one are of no use.</summary>
    public static int LayoutVersion => WeightLayout.Version;

    /// <summary>Of a weight with a gate: as many outputs of the gate lie together, then as many that pass it.</summary>
    public const int GateSide = WeightLayout.TileSide;

    /// <summary>How numbers are stored.</summary>
    public WeightEncoding Encoding => Attributes.Encoding;

    /// <summary>Outputs (N) of each matrix.</summary>
    public long Rows => Attributes.Rows;

    /// <summary>Inputs (K) of each matrix.</summary>
    public long Columns => Attributes.Columns;

    /// <summary>How many matrices there are: experts; 1 for a plain weight.</summary>
    public long Count => Attributes.Count;

    /// <summary>The packed bytes.</summary>
    public Tensor Data { get; }

    internal WeightAttributes Attributes { get; }

    /// <summary>A weight over memory that was pinned, such as that of a mapped file of packed weights.</summary>
    /// <param name="encoding">How numbers are stored.</param>
    /// <param name="rows">Outputs (N) of each matrix.</param>
    /// <param name="columns">Inputs (K) of each matrix.</param>
    /// <param name="count">How many matrices.</param>
    /// <param name="pinned">As many bytes as <see cref="BytesOf"/> says, at a multiple of 64; let go of when nobody refers to the
    /// weight.</param>
    public static PackedWeight Over(WeightEncoding encoding, long rows, long columns, long count,
        System.Buffers.MemoryHandle pinned)
    {
        long bytes = BytesOf(encoding, rows, columns, count);
        return new(encoding, rows, columns, new(Buffers.Pinned(pinned, bytes), DType.UInt8, [bytes]), count);
    }

    /// <summary>A piece of the packed bytes; valid while the weight is referred to.</summary>
    /// <param name="start">The first byte.</param>
    /// <param name="count">How many.</param>
    public ReadOnlySpan<byte> Span(long start, int count) => Data.Memory().Span<byte>(start, count);

    /// <summary>How many bytes packed matrices take.</summary>
    /// <exception cref="ShapeException">An extent is below 1 (ASH0641).</exception>
    public static long BytesOf(WeightEncoding encoding, long rows, long columns, long count = 1)
    {
        ArgumentNullException.ThrowIfNull(encoding);
        if (rows < 1 || columns < 1 || count < 1)
            throw new ShapeException("ASH0641", $"a weight of {count} times {rows} by {columns} holds nothing.",
                "give every extent at least 1.");
        return new WeightAttributes(encoding, rows, columns, count).Bytes;
    }

    /// <summary>Packs matrices that lie above each other: all outputs of the first, then of the second (query, key and value as
    /// one).</summary>
    /// <param name="encoding">How numbers are to be stored. Floats are rounded or quantised; blocks must be of this encoding's
    /// kind.</param>
    /// <param name="parts">[outputs, inputs] each, of as many inputs.</param>
    /// <param name="progress">Told how many outputs are packed so far, about a hundred times.</param>
    /// <param name="cancellation">Looked at between panels of 32 outputs.</param>
    /// <remarks>
    /// On all processors. Nothing but the result is allocated. int8: the greatest magnitude of a block becomes 127, as Q8_0
    /// has it; int4: -8, as Q4_0 has it; with a minimum, least and greatest become the ends of the range. Scales and minima are
    /// rounded to float16, which Q8_0 and Q4_0 have already; products of scales of the K-quants lose their last bits (2^-11).
    /// </remarks>
    /// <exception cref="ShapeException">The parts have different numbers of inputs (ASH0647).</exception>
    /// <exception cref="ModelFileException">A number is NaN or infinite, or a scale is beyond float16 (ASH0648).</exception>
    public static PackedWeight Pack(WeightEncoding encoding, IReadOnlyList<WeightSource> parts, IProgress<long>? progress = null,
        CancellationToken cancellation = default) => PackExperts(encoding, [parts], progress, cancellation);

    /// <summary>Packs one matrix.</summary>
    /// <inheritdoc cref="Pack(WeightEncoding, IReadOnlyList{WeightSource}, IProgress{long}, CancellationToken)"/>
    public static PackedWeight Pack(WeightEncoding encoding, WeightSource matrix, IProgress<long>? progress = null,
        CancellationToken cancellation = default) =>
        PackExperts(encoding, [[matrix]], progress, cancellation);

    /// <summary>Packs the values of a matrix, [outputs, inputs].</summary>
    /// <inheritdoc cref="Pack(WeightEncoding, IReadOnlyList{WeightSource}, IProgress{long}, CancellationToken)"/>
    public static PackedWeight Pack(WeightEncoding encoding, Tensor matrix) => Pack(encoding, WeightSource.Of(matrix));

    /// <summary>Packs one matrix per expert, each of parts that lie above each other.</summary>
    /// <param name="encoding">How numbers are to be stored.</param>
    /// <param name="experts">The parts of each expert; all experts have equal extents.</param>
    /// <param name="progress">Told how many outputs are packed so far, of all experts.</param>
    /// <param name="cancellation">Looked at between panels of 32 outputs.</param>
    /// <inheritdoc cref="Pack(WeightEncoding, IReadOnlyList{WeightSource}, IProgress{long}, CancellationToken)"/>
    public static PackedWeight PackExperts(WeightEncoding encoding, IReadOnlyList<IReadOnlyList<WeightSource>> experts,
        IProgress<long>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(encoding);
        ArgumentNullException.ThrowIfNull(experts);
        var packing = new WeightPacking(encoding, experts);
        var weight = Reserve(encoding, packing.Weight.Rows, packing.Weight.Columns, packing.Weight.Count);
        packing.Run(weight.Data.Memory(), progress, cancellation);
        return weight;
    }

    /// <summary>A weight whose memory is there and whose bytes come later, by <see cref="Fill"/>: so that programs can be
    /// compiled while weights are packed.</summary>
    /// <param name="encoding">How numbers are to be stored.</param>
    /// <param name="rows">Outputs (N) of each matrix.</param>
    /// <param name="columns">Inputs (K) of each matrix.</param>
    /// <param name="count">How many matrices.</param>
    public static PackedWeight Reserve(WeightEncoding encoding, long rows, long columns, long count = 1)
    {
        long bytes = BytesOf(encoding, rows, columns, count);
        return new(encoding, rows, columns, new(Buffers.Allocate(bytes), DType.UInt8, [bytes]), count);
    }

    /// <summary>Packs into a weight that was reserved. Once, before anything is computed with it.</summary>
    /// <exception cref="ShapeException">The parts are not of its extents (ASH0647).</exception>
    /// <inheritdoc cref="PackExperts"/>
    public void Fill(IReadOnlyList<IReadOnlyList<WeightSource>> experts, IProgress<long>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(experts);
        var packing = new WeightPacking(Encoding, experts);
        if (packing.Weight != Attributes)
            throw new ShapeException("ASH0647",
                $"matrices of {packing.Weight.Count} times {packing.Weight.Rows} by {packing.Weight.Columns} were to fill {Count} times {Rows} by {Columns}.",
                "pass parts of the extents that were reserved.");
        packing.Run(Data.Memory(), progress, cancellation);
    }
}

/// <summary>Products with packed weights.</summary>
public static class PackedProducts
{
    extension(Tensor x)
    {
        /// <summary>The product with the transpose of a packed weight: a linear layer.</summary>
        /// <param name="weight">[N, K], one matrix.</param>
        /// <returns>float32 [..., N] for float32 or bfloat16 [..., K].</returns>
        /// <remarks>
        /// Few rows: exact float32 activations for bf16 and f16 weights; for int8 and int4 weights activations are rounded to
        /// eight bits per 32 inputs where the processor has dot products of bytes. Many rows on a tile unit: activations and
        /// decoded weights are rounded to bfloat16. Sums are float32 always.
        /// </remarks>
        /// <exception cref="ShapeException">The last axis is not K long (ASH0642), or there are several matrices
        /// (ASH0643).</exception>
        public Tensor Project(PackedWeight weight)
        {
            ArgumentNullException.ThrowIfNull(weight);
            return new(Nodes.Project(x.Node, weight.Data.Node, weight.Attributes));
        }

        /// <summary>The product with a weight of gates and what passes them: <c>f(gate) * up</c>, in one pass over
        /// memory.</summary>
        /// <param name="weight">[2 F, K], one matrix, packed from <see cref="WeightSource.Gated"/>.</param>
        /// <param name="gate">The function f.</param>
        /// <returns>float32 [..., F] for float32 or bfloat16 [..., K]; rounded as <see cref="Project(Tensor, PackedWeight)"/>
        /// says.</returns>
        /// <exception cref="ShapeException">The last axis is not K long (ASH0642), there are several matrices (ASH0643), or 2 F
        /// is no multiple of 32 (ASH0641).</exception>
        public Tensor ProjectGated(PackedWeight weight, WeightGate gate)
        {
            ArgumentNullException.ThrowIfNull(weight);
            return new(Nodes.Project(x.Node, weight.Data.Node, weight.Attributes with { Gate = gate }));
        }

        /// <summary>The product of each row with the transpose of the matrix that the row names: experts of a mixture.</summary>
        /// <param name="weight">Matrices [N, K].</param>
        /// <param name="experts">int32 [M]: which matrix each row takes. Weights that no row names are not read.</param>
        /// <param name="gate">Matrices are packed from <see cref="WeightSource.Gated"/>, and half of the columns remain:
        /// <c>f(gate) * up</c>; null for plain products.</param>
        /// <returns>float32 [M, N] for [M, K].</returns>
        /// <exception cref="ShapeException">Rows or experts do not fit (ASH0642), or a gate's N is no multiple of 32
        /// (ASH0641).</exception>
        public Tensor ProjectExperts(PackedWeight weight, Tensor experts, WeightGate? gate = null)
        {
            ArgumentNullException.ThrowIfNull(weight);
            ArgumentNullException.ThrowIfNull(experts);
            return new(Nodes.ProjectExperts(x.Node, weight.Data.Node, experts.Node, weight.Attributes with { Gate = gate }));
        }
    }

    extension(PackedWeight weight)
    {
        /// <summary>Rows of the weight as numbers: an embedding whose table is packed.</summary>
        /// <param name="indices">int32 [...]; rows of several matrices are numbered on.</param>
        /// <returns>float32 [..., K]</returns>
        public Tensor RowsAt(Tensor indices)
        {
            ArgumentNullException.ThrowIfNull(indices);
            return new(Nodes.WeightRows(weight.Data.Node, indices.Node, weight.Attributes));
        }
    }
}

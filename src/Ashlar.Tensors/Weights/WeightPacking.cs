using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Ashlar;

/// <summary>Brings rows into the layout of packed weights, a panel of 32 outputs at a time.</summary>
sealed unsafe class WeightPacking
{
    const int Side = WeightLayout.PanelSide;

    readonly WeightEncoding encoding;
    readonly IReadOnlyList<IReadOnlyList<WeightSource>> experts;
    readonly WeightLayout layout;
    readonly Dictionary<WeightSource, nint> addresses = [];

    public WeightPacking(WeightEncoding encoding, IReadOnlyList<IReadOnlyList<WeightSource>> experts)
    {
        (this.encoding, this.experts) = (encoding, experts);
        if (experts.Count == 0 || experts.Any(parts => parts.Count == 0))
            throw new ShapeException("ASH0641", "a weight of no matrix was to be packed.",
                "pass at least one matrix for each expert.");
        long rows = experts[0].Sum(part => part.Rows), columns = experts[0][0].Columns;
        foreach (var parts in experts)
        {
            if (parts.Sum(part => part.Rows) != rows || parts.Any(part => part.Columns != columns))
                throw new ShapeException("ASH0647",
                    $"matrices of {string.Join(", ", parts.Select(part => $"{part.Rows} by {part.Columns}"))} were to be packed where {rows} by {columns} are expected.",
                    "pass parts of as many inputs, and as many outputs for each expert.");
            foreach (var part in parts.SelectMany(Plain).OfType<BlockSource>())
                if (!encoding.IsQuantized || part.Block % encoding.Block != 0)
                    throw new ShapeException("ASH0647", $"blocks of {part.Block} inputs cannot be packed as {encoding}.",
                        "choose an encoding of the format's own block and bits, or decode the blocks to floats.");
        }
        layout = new(encoding, rows, columns);
        Weight = new(encoding, rows, columns, experts.Count);
    }

    public WeightAttributes Weight { get; }

    public void Run(Buffer to, IProgress<long>? progress, CancellationToken cancellation)
    {
        var handles = new List<System.Buffers.MemoryHandle>();
        try
        {
            foreach (var dense in experts.SelectMany(parts => parts.SelectMany(Plain)).OfType<DenseSource>())
            {
                handles.Add(dense.Pin());
                addresses[dense] = (nint)handles[^1].Pointer;
            }
            long jobs = layout.Panels * experts.Count, done = 0, every = Math.Max(1, jobs / 100);
            var options = new ParallelOptions
            {
                CancellationToken = cancellation,
                MaxDegreeOfParallelism = Environment.ProcessorCount,
            };
            try
            {
                Parallel.For(0, jobs, options, () => new Staging(layout), (job, _, staging) =>
                {
                    var (expert, panel) = Math.DivRem(job, layout.Panels);
                    Panel((int)expert, panel, (byte*)to.Address + expert * layout.Bytes, staging);
                    if (Interlocked.Increment(ref done) is var now && (now % every == 0 || now == jobs))
                        progress?.Report(Math.Min(now * Side, layout.Rows * experts.Count));
                    return staging;
                }, _ => { });
            }
            catch (AggregateException failures) when (failures.InnerException is AshlarException mistake)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(mistake);
            }
        }
        finally
        {
            foreach (var handle in handles) handle.Dispose();
        }
        GC.KeepAlive(to);
    }

    /// <summary>Memory of one thread: rows of a panel on their way.</summary>
    sealed class Staging
    {
        public Staging(in WeightLayout layout)
        {
            Padded = (int)(layout.Steps * WeightLayout.StepSide);
            Codes = new byte[layout.Encoding.IsQuantized ? Side * Padded : 0];
            Scales = new float[Codes.Length == 0 ? 0 : Side * Padded / layout.Encoding.Block];
            Minima = new float[layout.Encoding.HasMinimum ? Scales.Length : 0];
            Row = new float[Padded];
            Words = new ushort[Padded];
        }

        public int Padded { get; }
        public byte[] Codes { get; }
        public float[] Scales { get; }
        public float[] Minima { get; }
        public float[] Row { get; }
        public ushort[] Words { get; }
    }

    void Panel(int expert, long panel, byte* matrix, Staging staging)
    {
        long first = panel * Side;
        int rows = (int)Math.Min(Side, layout.Rows - first);
        if (rows < Side) ClearPanel(panel, matrix);
        if (encoding.IsQuantized && rows < Side)
        {
            Array.Clear(staging.Codes);
            Array.Clear(staging.Scales);
            Array.Clear(staging.Minima);
        }
        int part = 0;
        long start = 0;                                // of the part
        for (int row = 0; row < rows;)
        {
            var source = experts[expert][part];
            long within = first + row - start;
            if (within >= source.Rows)
            {
                start += source.Rows;
                part++;
                continue;
            }
            int count = (int)Math.Min(rows - row, source.Rows - within);
            if (source is GatedSource pair)
            {
                var (turn, place) = Math.DivRem(within, WeightLayout.TileSide);
                count = (int)Math.Min(count, WeightLayout.TileSide - place);
                (source, within) = (turn % 2 == 0 ? pair.Gate : pair.Up, turn / 2 * WeightLayout.TileSide + place);
            }
            Read(source, within, count, row, panel, matrix, staging);
            row += count;
        }
        if (encoding.IsQuantized) StoreCodes(panel, matrix, staging, expert);
    }

    void Read(WeightSource source, long first, int count, int row, long panel, byte* matrix, Staging staging)
    {
        var order = source.Order;
        if (source is BlockSource ordered && order is not null)
            for (int i = 0; i < count; i++) ReadBlocks(ordered, order[first + i], 1, row + i, staging);
        else if (source is BlockSource blocks) ReadBlocks(blocks, first, count, row, staging);
        else
            for (int i = 0; i < count; i++)
                ReadDense((DenseSource)source, (byte*)addresses[source], order is null ? first + i : order[first + i], row + i,
                    panel, matrix, staging);
    }

    static IEnumerable<WeightSource> Plain(WeightSource source) => source is GatedSource pair ? [pair.Gate, pair.Up] : [source];

    void ClearPanel(long panel, byte* matrix)
    {
        for (long step = 0; step < layout.Steps; step++)
            new Span<byte>(matrix + layout.Offset(panel, step), layout.StepBytes).Clear();
    }

    void ReadBlocks(BlockSource source, long first, int count, int row, Staging staging)
    {
        int columns = (int)layout.Columns, padded = staging.Padded, mine = padded / encoding.Block,
            theirs = columns / source.Block;
        if (columns == padded && source.Block == encoding.Block)
        {
            source.Reader(first, count, staging.Codes.AsSpan(row * padded, count * padded),
                staging.Scales.AsSpan(row * mine, count * mine),
                encoding.HasMinimum ? staging.Minima.AsSpan(row * mine, count * mine) : []);
            return;
        }
        // Rows get padding, long blocks repeat their scale.
        var codes = new byte[count * columns];
        var scales = new float[count * theirs];
        var minima = new float[encoding.HasMinimum ? count * theirs : 0];
        source.Reader(first, count, codes, scales, minima);
        for (int i = 0; i < count; i++)
        {
            codes.AsSpan(i * columns, columns).CopyTo(staging.Codes.AsSpan((row + i) * padded));
            staging.Codes.AsSpan((row + i) * padded + columns, padded - columns).Clear();
            for (int block = 0; block < mine; block++)
            {
                int from = block * encoding.Block / source.Block;
                staging.Scales[(row + i) * mine + block] = from < theirs ? scales[i * theirs + from] : 0;
                if (encoding.HasMinimum) staging.Minima[(row + i) * mine + block] = from < theirs ? minima[i * theirs + from] : 0;
            }
        }
    }

    void ReadDense(DenseSource source, byte* data, long from, int row, long panel, byte* matrix, Staging staging)
    {
        int columns = (int)layout.Columns;
        byte* at = data + from * columns * source.DType.Bytes;
        bool isFinite;
        if (encoding.Code == WeightCode.BF16)
        {
            ushort* words;
            fixed (ushort* staged = staging.Words)
            {
                if (source.DType == DType.BFloat16 && columns == staging.Padded) words = (ushort*)at;
                else
                {
                    words = staged;
                    if (source.DType == DType.BFloat16) new ReadOnlySpan<ushort>(at, columns).CopyTo(staging.Words);
                    else
                    {
                        ToFloats(source.DType, at, staging.Row.AsSpan(0, columns));
                        for (int k = 0; k < columns; k++) staged[k] = ((BFloat16)staging.Row[k]).Bits;
                    }
                }
                isFinite = StorePairs(words, row, panel, matrix);
            }
        }
        else if (encoding.Code == WeightCode.F16)
        {
            fixed (ushort* staged = staging.Words)
            {
                if (source.DType == DType.Float16) new ReadOnlySpan<ushort>(at, columns).CopyTo(staging.Words);
                else
                {
                    ToFloats(source.DType, at, staging.Row.AsSpan(0, columns));
                    for (int k = 0; k < columns; k++) staged[k] = BitConverter.HalfToUInt16Bits((Half)staging.Row[k]);
                }
                isFinite = StoreHalves(staged, row, panel, matrix);
            }
        }
        else
        {
            ToFloats(source.DType, at, staging.Row.AsSpan(0, columns));
            int blocks = staging.Padded / encoding.Block;
            isFinite = BlockQuantizer.Quantize(encoding, staging.Row, staging.Codes.AsSpan(row * staging.Padded, staging.Padded),
                staging.Scales.AsSpan(row * blocks, blocks), encoding.HasMinimum
                    ? staging.Minima.AsSpan(row * blocks, blocks)
                    : []);
        }
        if (!isFinite)
            throw new ModelFileException("ASH0648",
                $"row {from} of a weight of {source.Rows} by {source.Columns} ({source.DType.Name}) holds NaN or infinity, or numbers beyond {encoding}.",
                "check the file; a model with such weights computes nothing useful.");
    }

    static void ToFloats(DType dtype, byte* from, Span<float> to)
    {
        switch (dtype)
        {
            case DType.Float32: new ReadOnlySpan<float>(from, to.Length).CopyTo(to); break;
            case DType.Float16: Widen((Half*)from, to); break;
            default:
                for (int k = 0; k < to.Length; k++) to[k] = BitConverter.UInt32BitsToSingle((uint)((ushort*)from)[k] << 16);
                break;
        }
    }

    static void Widen(Half* from, Span<float> to)
    {
        for (int k = 0; k < to.Length; k++) to[k] = (float)from[k];
    }

    // A row of bfloat16 into its lane: groups of two inputs are 64 bytes apart. Denormals become zero.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    bool StorePairs(ushort* row, int output, long panel, byte* matrix)
    {
        var exponent = Vector512.Create((ushort)0x7f80);
        var bad = Vector512<ushort>.Zero;
        uint* group = stackalloc uint[16];
        long each = layout.BlockSteps;
        for (long block = 0; block < layout.Steps; block += each)
        {
            byte* to = matrix + layout.Offset(panel, block) + output / 16 * 1024 + output % 16 * 4;
            for (long step = block; step < Math.Min(block + each, layout.Steps); step++, row += 32, to += 2048)
            {
                var values = Vector512.Load(row);
                var power = values & exponent;
                bad |= Vector512.Equals(power, exponent);
                Vector512.AndNot(values, Vector512.Equals(power, Vector512<ushort>.Zero)).AsUInt32().Store(group);
                for (int i = 0; i < 16; i++) *(uint*)(to + i * 64) = group[i];
            }
        }
        return bad == Vector512<ushort>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    bool StoreHalves(ushort* row, int output, long panel, byte* matrix)
    {
        var exponent = Vector512.Create((ushort)0x7c00);
        var bad = Vector512<ushort>.Zero;
        for (long step = 0; step < layout.Steps; step++, row += 32)
        {
            byte* to = matrix + layout.Offset(panel, step) + output / 16 * 1024 + output % 16 * 2;
            bad |= Vector512.Equals(Vector512.Load(row) & exponent, exponent);
            for (int k = 0; k < 32; k++) *(ushort*)(to + k * 32) = row[k];
        }
        return bad == Vector512<ushort>.Zero;
    }

    // Codes of 32 rows into their lanes, scales and minima behind them.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void StoreCodes(long panel, byte* matrix, Staging staging, int expert)
    {
        int padded = staging.Padded, blocks = padded / encoding.Block, perStep = layout.Scales, tileBytes = layout.TileBytes;
        float factor = WeightLayout.ScaleFactor(encoding);
        bool isByte = encoding.Code == WeightCode.Int8, isFinite = true;
        fixed (byte* codes = staging.Codes)
            for (int step = 0; step < layout.Steps; step++)
            {
                byte* to = matrix + layout.Offset(panel, step);
                for (int output = 0; output < Side; output++)
                {
                    uint* from = (uint*)(codes + output * padded + step * 32);
                    byte* lane = to + output / 16 * tileBytes + output % 16 * 4;
                    if (isByte)
                        for (int i = 0; i < 8; i++) *(uint*)(lane + i * 64) = from[i] ^ 0x80808080u;
                    else
                        for (int i = 0; i < 4; i++)
                            *(uint*)(lane + i * 64) = from[2 * i] & 0x0f0f0f0fu | (from[2 * i + 1] & 0x0f0f0f0fu) << 4;
                    for (int block = 0; block < perStep; block++)
                    {
                        var scale = (Half)(staging.Scales[output * blocks + step * perStep + block] * factor);
                        isFinite &= Half.IsFinite(scale);
                        *(Half*)(to + 2 * tileBytes + block * 64 + output * 2) = scale;
                        if (!encoding.HasMinimum) continue;
                        var minimum = (Half)staging.Minima[output * blocks + step * perStep + block];
                        isFinite &= Half.IsFinite(minimum);
                        *(Half*)(to + 2 * tileBytes + (perStep + block) * 64 + output * 2) = minimum;
                    }
                }
            }
        if (!isFinite)
            throw new ModelFileException("ASH0648",
                $"among rows {panel * Side} to {panel * Side + Side - 1} of matrix {expert} a scale or minimum is NaN, infinite or beyond float16.",
                "check the file; weights beyond 65504 times their codes cannot be packed.");
    }
}

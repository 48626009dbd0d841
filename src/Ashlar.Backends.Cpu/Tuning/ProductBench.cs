using System.Diagnostics;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;

namespace Ashlar.Backends.Cpu.Tuning;

/// <summary>Runs one product with one config after the other, on operands that stay where they are, and says whether the result
/// is right.</summary>
sealed unsafe class ProductBench : IDisposable
{
    const double SampleSeconds = 0.004;
    const int CheckedElements = 64;

    readonly TunableProduct product;
    readonly Workers workers;
    readonly MatrixContraction? tiles;                 // one of the two
    readonly Contraction? vectors;
    readonly NativeBuffer left, right, result, reference;
    readonly NativeBuffer? packed;
    readonly ContractionCall call;
    readonly TileConfig? usual;                        // on tiles
    NativeBuffer scratch;
    long scratchBytes;
    bool hasReference;

    public ProductBench(TunableProduct product, Isa isa, Workers workers)
    {
        (this.product, this.workers) = (product, workers);
        var type = product.DType;
        var (m, n, k) = (product.Rows, product.Columns, product.Inner);
        left = NativePool.Shared.Rent(m * k * type.Bytes);
        right = NativePool.Shared.Rent(k * n * type.Bytes);
        Fill(left, m * k, 9, 7);
        Fill(right, k * n, 7, 5);
        var resultType = type == DType.Int8 ? DType.Int32 : type;
        result = NativePool.Shared.Rent(m * n * resultType.Bytes);
        reference = NativePool.Shared.Rent(m * n * resultType.Bytes);
        call = new()
        {
            Rows = m,
            Columns = n,
            Inner = k,
            Left = product.LeftByColumns ? new((nint)left.Pointer, type, 1, m) : new((nint)left.Pointer, type, k, 1),
            Right = product.RightByColumns ? new((nint)right.Pointer, type, 1, k) : new((nint)right.Pointer, type, n, 1),
            Result = new((nint)result.Pointer, resultType, n, 1),
        };
        if (TileProduct.Of(type, type) is { } kind)
        {
            tiles = new(kind, rightIsPacked: product.RightIsPacked);
            Key = tiles.KeyOf(call, workers.Count);
            if (product.RightIsPacked)
            {
                packed = NativePool.Shared.Rent(PackedOperand.Bytes(kind, k, n));
                PackedOperand.Pack(kind, call.Right, k, n, (byte*)packed.Pointer, workers);
                call.Right = new((nint)packed.Pointer, type, 0, 0);
            }
        }
        else
        {
            vectors = new(isa, type);
            Key = vectors.KeyOf(call, workers.Count);
        }
        scratchBytes = tiles?.ScratchBytes(call, workers.Count) ?? vectors!.ScratchBytes * workers.Count;
        scratch = NativePool.Shared.Rent(scratchBytes);
        usual = tiles?.CutOf(call, workers.Count);
        Default = usual?.ToString() ?? VectorDefault();
    }

    /// <summary>What the tuning is known by.</summary>
    public ProductKey Key { get; }

    /// <summary>The config that runs without tuning.</summary>
    public string Default { get; }

    public void Dispose() => GC.KeepAlive((left, right, result, reference, packed, scratch));

    /// <summary>Every legal config, with what the model expects of it.</summary>
    public IEnumerable<(string Config, double Seconds)> Configs(ProductModel model)
    {
        if (tiles is not null)
        {
            // What runs without tuning is said once, as what it is.
            int bytes = tiles.Product.ElementBytes;
            IEnumerable<TileConfig> blocks = TileBlocks.Of(Key, bytes).Where(config => usual is not TileBlocks other
                || config.For(Key, bytes) != other.For(Key, bytes));
            IEnumerable<TileConfig> strips = StripBlocks.Of(Key, bytes).Where(config => usual is not StripBlocks other
                || config.For(Key, bytes) != other.For(Key, bytes));
            return [.. blocks.Concat(strips).Append(usual!).Select(config => (config.ToString(), Estimate(model, config)))];
        }
        return [.. VectorBlocks.Of(vectors!.CasesOf(call, workers.Count), Key)
            .Select(config => (config.ToString(), Estimate(model, config)))];
    }

    /// <summary>What the model expects of a config.</summary>
    public double Estimate(ProductModel model, string config) =>
        tiles is not null ? Estimate(model, TileConfig.Parse(config)!)
        : VectorBlocks.Parse(config) is { } blocks ? Estimate(model, blocks) : double.PositiveInfinity;

    /// <summary>Which way a config goes: those of one kind are cut differently, but compute alike.</summary>
    public string KindOf(string config) => TileConfig.Parse(config) switch
    {
        TileBlocks blocks => $"blocks {blocks.Order} {blocks.For(Key, tiles!.Product.ElementBytes)?.Steps}",
        StripBlocks strips => $"strips {strips.SharesRight} {strips.For(Key, tiles!.Product.ElementBytes)?.Steps}",
        _ => "",
    };

    /// <summary>Runs with this config from now on.</summary>
    public void Use(string config)
    {
        if (tiles is not null)
        {
            tiles.ForcedConfig = config == Default ? null : TileConfig.Parse(config);
            long bytes = tiles.ScratchBytes(call, workers.Count);
            if (bytes <= scratchBytes) return;
            scratch = NativePool.Shared.Rent(bytes);
            scratchBytes = bytes;
        }
        else vectors!.ForcedBlocks = VectorBlocks.Parse(config);
    }

    /// <summary>Seconds of a run, as the mean over a few milliseconds.</summary>
    public double Seconds()
    {
        long start = Stopwatch.GetTimestamp();
        int runs = 0;
        double seconds;
        do
        {
            Run();
            runs++;
            seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        while (seconds < SampleSeconds);
        return seconds / runs;
    }

    /// <summary>Runs once and checks the result; the first right one is what later ones must be equal to.</summary>
    /// <param name="spoils">Tests: changes an element.</param>
    /// <param name="seconds">How long the run took.</param>
    public bool IsRight(bool spoils, out double seconds)
    {
        result.AsSpan<byte>().Fill(0xff);
        long start = Stopwatch.GetTimestamp();
        Run();
        seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (spoils) result.AsSpan<byte>()[^3] ^= 0x41;
        long bytes = product.Rows * product.Columns * call.Result.DType.Bytes;
        if (hasReference) return AreEqual((byte*)result.Pointer, (byte*)reference.Pointer, bytes);
        if (!IsProduct()) return false;
        Buffer.MemoryCopy(result.Pointer, reference.Pointer, bytes, bytes);
        return hasReference = true;
    }

    void Run()
    {
        if (tiles is not null) tiles.Run(call, workers, (byte*)scratch.Pointer);
        else vectors!.Run(call, workers, (byte*)scratch.Pointer);
    }

    string VectorDefault()
    {
        vectors!.Prepare(call, workers.Count);
        // Streamed products have no config; what has none runs as it would without tuning.
        return vectors.LastBlocks is { } blocks && Legal(blocks) ? blocks.ToString() : "default";
    }

    bool Legal(VectorBlocks blocks)
    {
        var (rows, columns) = blocks.IsSwapped ? (product.Columns, product.Rows) : (product.Rows, product.Columns);
        var cases = vectors!.CasesOf(call, workers.Count);
        var facts = blocks.IsSwapped ? cases.Swapped!.Value : cases.Straight;
        return !vectors.StreamsLast && blocks.For(facts, 1, rows, columns, product.Inner) is not null;
    }

    double Estimate(ProductModel model, TileConfig config) => config switch
    {
        TileBlocks blocks => model.Seconds(Key, blocks.For(Key, tiles!.Product.ElementBytes)!.Value),
        StripBlocks strips => model.Seconds(Key, strips.For(Key, tiles!.Product.ElementBytes)!),
        _ => double.PositiveInfinity,
    };

    double Estimate(ProductModel model, VectorBlocks config)
    {
        var cases = vectors!.CasesOf(call, workers.Count);
        var facts = config.IsSwapped ? cases.Swapped!.Value : cases.Straight;
        var (rows, columns) = config.IsSwapped ? (product.Columns, product.Rows) : (product.Rows, product.Columns);
        return model.Seconds(Key, facts, config.For(facts, 1, rows, columns, product.Inner)!.Value, rows, columns);
    }

    /// <summary>
    /// Compares with double precision: all rows by their product with one vector of signs (Freivalds 1979), which finds a wrong
    /// element with a probability of a half or more, and some elements one by one.
    /// </summary>
    bool IsProduct()
    {
        var (m, n, k) = (product.Rows, product.Columns, product.Inner);
        var signs = new double[n];
        var sums = new double[k];
        for (long j = 0; j < n; j++) signs[j] = Sign(j);
        for (long p = 0; p < k; p++)
            for (long j = 0; j < n; j++) sums[p] += Right(p, j) * signs[j];
        double rounding = call.Result.DType == DType.BFloat16 ? 1.0 / 256 : 0;      // at most, relative
        for (long i = 0; i < m; i++)
        {
            double expected = 0, found = 0, squares = 0;
            for (long p = 0; p < k; p++) expected += Left(i, p) * sums[p];
            for (long j = 0; j < n; j++)
            {
                double value = Result(i, j);
                found += value * signs[j];
                squares += value * value;
            }
            // Exact but for the rounding of each element to its type: six times the deviation of the sum of such errors.
            if (!(Math.Abs(found - expected) <= 6 * rounding / Math.Sqrt(3) * Math.Sqrt(squares))) return false;
        }
        for (int element = 0; element < CheckedElements; element++)
        {
            long i = element % 2 == 0 ? m - 1 - element * 31 % m : element * 17 % m, j = element % 3 == 0 ? n - 1
                - element * 13 % n : element * 29 % n;
            double expected = 0;
            for (long p = 0; p < k; p++) expected += Left(i, p) * Right(p, j);
            if (!(Math.Abs(Result(i, j) - expected) <= rounding * Math.Abs(expected))) return false;
        }
        return true;
    }

    double Left(long i, long p) =>
        Read(left.Pointer, product.DType, product.LeftByColumns ? p * product.Rows + i : i * product.Inner + p);

    double Right(long p, long j) =>
        Read(right.Pointer, product.DType, product.RightByColumns ? j * product.Inner + p : p * product.Columns + j);

    double Result(long i, long j) => Read(result.Pointer, call.Result.DType, i * product.Columns + j);

    static double Sign(long j) => (int.PopCount((int)((uint)(j + 1) * 2654435761u)) & 1) == 0 ? 1 : -1;

    static double Read(void* data, DType type, long i) => type switch
    {
        DType.Float32 => ((float*)data)[i],
        DType.BFloat16 => ((BFloat16*)data)[i],
        DType.Int8 => ((sbyte*)data)[i],
        _ => ((int*)data)[i],
    };

    // Whole numbers around zero, in no order that a block size could hide.
    void Fill(NativeBuffer buffer, long count, int values, uint seed)
    {
        uint state = seed * 747796405u + 1;
        for (long i = 0; i < count; i++)
        {
            state = state * 1664525u + 1013904223u;
            int value = (int)((state >> 16) % (uint)values) - values / 2;
            switch (product.DType)
            {
                case DType.Float32: ((float*)buffer.Pointer)[i] = value; break;
                case DType.BFloat16: ((BFloat16*)buffer.Pointer)[i] = (BFloat16)value; break;
                default: ((sbyte*)buffer.Pointer)[i] = (sbyte)value; break;
            }
        }
    }

    static bool AreEqual(byte* a, byte* b, long bytes)
    {
        const int most = 1 << 30;
        for (long at = 0; at < bytes; at += most)
        {
            int count = (int)Math.Min(most, bytes - at);
            if (!new ReadOnlySpan<byte>(a + at, count).SequenceEqual(new ReadOnlySpan<byte>(b + at, count))) return false;
        }
        return true;
    }
}

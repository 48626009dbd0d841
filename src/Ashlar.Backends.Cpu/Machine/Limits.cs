using System.Diagnostics;
using System.Runtime.Intrinsics;

namespace Ashlar.Backends.Cpu;

/// <summary>A limit of the machine that a kernel's speed is compared with.</summary>
public enum Limit
{
    /// <summary>Multiplications and additions of float32 vectors, registers only.</summary>
    Fma,
    /// <summary>Tile products of bfloat16 (AMX), registers only.</summary>
    AmxBF16,
    /// <summary>Tile products of int8 (AMX), registers only.</summary>
    AmxInt8,
    /// <summary>Reading from the first-level cache.</summary>
    L1Read,
    /// <summary>Reading from the second-level cache.</summary>
    L2Read,
    /// <summary>Reading from the last-level cache.</summary>
    L3Read,
    /// <summary>Reading from memory.</summary>
    Read,
    /// <summary>Writing to memory with ordinary stores.</summary>
    Write,
    /// <summary>Writing to memory with streaming (non-temporal) stores.</summary>
    WriteStreaming,
    /// <summary>Copying in memory with ordinary stores; bytes read plus bytes written.</summary>
    Copy,
    /// <summary>Copying in memory with streaming (non-temporal) stores; bytes read plus bytes written.</summary>
    CopyStreaming,
    /// <summary>Changing memory in place; bytes read plus bytes written.</summary>
    InPlace,
    /// <summary>Starting all threads on a body and waiting for them, while they spin.</summary>
    ForkJoin,
}

/// <summary>One measured limit.</summary>
/// <param name="Limit">What was measured.</param>
/// <param name="Threads">On how many threads at once.</param>
/// <param name="Median">The middle one of the samples.</param>
/// <param name="Best">The best of the samples: what the machine does while nobody disturbs it.</param>
public sealed record MeasuredLimit(Limit Limit, int Threads, double Median, double Best);

/// <summary>The limits of this machine, as measured at one time.</summary>
/// <param name="Isa">The instruction path they were measured with.</param>
/// <param name="All">Every measured limit, by threads and kind.</param>
public sealed record MachineLimits(Isa Isa, IReadOnlyList<MeasuredLimit> All)
{
    /// <summary>The limit of this kind on this many threads; null where it was not measured.</summary>
    public MeasuredLimit? this[Limit limit, int threads] =>
        All.FirstOrDefault(measured => measured.Limit == limit && measured.Threads == threads);
}

/// <summary>Measures what this machine can do, in samples short enough to lie between those of a measured kernel.</summary>
/// <remarks>
/// Clocks wander and neighbours disturb, so a share of a limit means something only if both were sampled in turn. Memory
/// limits use 512 MB of memory, which an instance keeps from its first memory sample on. One thread at a time.
/// </remarks>
public sealed unsafe class Limits
{
    const long MemoryBytes = 512 << 20;
    const int Repeats = 7;
    const double SecondsPerSample = 0.008;

    static readonly (string Name, string Unit, string Meaning)[] texts =
    [
        ("fma.f32", "GFLOP/s", "float32 multiply-add, registers only"),
        ("amx.bf16", "GFLOP/s", "bfloat16 tile products, registers only"),
        ("amx.int8", "GFLOP/s", "int8 tile products, registers only; multiplications and additions"),
        ("read.l1", "GB/s", "half of the first-level cache"),
        ("read.l2", "GB/s", "half of the second-level cache"),
        ("read.l3", "GB/s", "eight times the second-level cache, per thread"),
        ("read", "GB/s", "512 MB of memory"),
        ("write", "GB/s", "512 MB, ordinary stores"),
        ("write.streaming", "GB/s", "512 MB, streaming stores"),
        ("copy", "GB/s", "256 MB to 256 MB, ordinary stores; read + written"),
        ("copy.streaming", "GB/s", "256 MB to 256 MB, streaming stores; read + written"),
        ("in_place", "GB/s", "512 MB changed in place; read + written"),
        ("fork_join", "us", "start all threads and wait for them, while they spin"),
    ];

    readonly Workers workers;
    readonly Bodies bodies;
    readonly Dictionary<(Limit, int), long> times = [];           // loop counts that fill a sample
    NativeBuffer? memory;
    NativeBuffer? scratch;
    ExecutableMemory? amxLoop;
    ExecutableMemory? amxByteLoop;

    /// <summary>The bodies of one instruction path.</summary>
    internal struct Bodies
    {
        public delegate*<void*, int, int, void> Fma, Read, ReadCached, Write, WriteStreaming, Copy, CopyStreaming, InPlace;
        public double FmaFlops;        // of one iteration
    }

    /// <summary>Measures with the threads of this process and one instruction path.</summary>
    public Limits(Isa isa) : this(isa, Workers.Shared) { }

    internal Limits(Isa isa, Workers workers)
    {
        Isa = isa;
        this.workers = workers;
        bodies = BodiesOf(isa);
    }

    /// <summary>The instruction path it measures with.</summary>
    public Isa Isa { get; }

    /// <summary>The most threads it can measure with.</summary>
    public int Threads => workers.Count;

    /// <summary>The name of a limit in tables and JSON: <c>fma.f32</c>, <c>copy.streaming</c>.</summary>
    public static string NameOf(Limit limit) => texts[(int)limit].Name;

    /// <summary>The unit of a limit: GFLOP/s (10^9), GB/s (10^9) or us.</summary>
    public static string UnitOf(Limit limit) => texts[(int)limit].Unit;

    /// <summary>What a limit measures, for tables.</summary>
    public static string MeaningOf(Limit limit) => texts[(int)limit].Meaning;

    /// <summary>Why a limit cannot be measured on this many threads; null where it can.</summary>
    public string? WhyNot(Limit limit, int threads) => limit switch
    {
        Limit.AmxBF16 => Amx.WhyNot,
        Limit.AmxInt8 => Amx.WhyNotInt8,
        Limit.L3Read when Processor.Current.L3Bytes < threads * 16 * Processor.Current.L2Bytes =>
            "the last-level cache is too small to be told from memory",
        Limit.ForkJoin when threads == 1 => "one thread has nobody to start",
        _ => null,
    };

    /// <summary>Measures once: about 10 ms, or one pass through 512 MB.</summary>
    /// <returns>In the limit's unit.</returns>
    /// <exception cref="DeviceException">It cannot be measured here; <see cref="WhyNot"/> says why.</exception>
    public double Sample(Limit limit, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, Threads);
        if (WhyNot(limit, threads) is { } reason)
            throw new DeviceException("ASH0604", $"{NameOf(limit)} cannot be measured on {threads} threads: {reason}.",
                "leave it out: Limits.WhyNot tells beforehand.");
        return limit switch
        {
            Limit.Fma => Timed(limit, threads, bodies.Fma, threads * bodies.FmaFlops / 1e9),
            Limit.AmxBF16 => Timed(limit, threads, &AmxPeak, threads * Amx.FlopsPerIteration / 1e9),
            Limit.AmxInt8 => Timed(limit, threads, &AmxPeak, threads * 2 * Amx.FlopsPerIteration / 1e9),
            Limit.L1Read => ReadCache(limit, threads, Processor.Current.L1Bytes / 2),
            Limit.L2Read => ReadCache(limit, threads, Processor.Current.L2Bytes / 2),
            Limit.L3Read => ReadCache(limit, threads, Processor.Current.L2Bytes * 8),
            Limit.Read => Pass(threads, bodies.Read, usesB: false, perByte: 1),
            Limit.Write => Pass(threads, bodies.Write, usesB: false, perByte: 1),
            Limit.WriteStreaming => Pass(threads, bodies.WriteStreaming, usesB: false, perByte: 1),
            Limit.Copy => Pass(threads, bodies.Copy, usesB: true, perByte: 2),
            Limit.CopyStreaming => Pass(threads, bodies.CopyStreaming, usesB: true, perByte: 2),
            Limit.InPlace => Pass(threads, bodies.InPlace, usesB: false, perByte: 2),
            _ => 1e6 / Timed(limit, threads, null, 1),
        };
    }

    /// <summary>Measures every limit on one thread and on all, in several rounds through all of them.</summary>
    /// <param name="progress">Told the share done, from 0 to 1.</param>
    /// <param name="cancellationToken">Looked at between samples.</param>
    public MachineLimits Measure(IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        int[] threadCounts = Threads == 1 ? [1] : [1, Threads];
        var kinds = (from threads in threadCounts
                     from limit in Enum.GetValues<Limit>()
                     where WhyNot(limit, threads) is null
                     select (Limit: limit, Threads: threads)).ToList();
        var samples = kinds.ToDictionary(kind => kind, _ => new List<double>());
        for (int round = 0; round <= Repeats; round++)
            for (int i = 0; i < kinds.Count; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                double sample = Sample(kinds[i].Limit, kinds[i].Threads);
                if (round > 0) samples[kinds[i]].Add(sample);             // the first one warms up
                progress?.Report((round * kinds.Count + i + 1.0) / ((Repeats + 1) * kinds.Count));
            }
        return new(Isa, [.. kinds.Select(kind => Summary(kind.Limit, kind.Threads, samples[kind]))]);
    }

    static MeasuredLimit Summary(Limit limit, int threads, List<double> samples)
    {
        samples.Sort();
        return new(limit, threads, samples[samples.Count / 2], limit == Limit.ForkJoin ? samples[0] : samples[^1]);
    }

    internal static Bodies BodiesOf(Isa isa) => isa switch
    {
        // Ordinary stores to memory are up to a third faster in 256 bits than in 512.
        Isa.Avx512 => BodiesOf<Width512, Vector512<float>>() with
        {
            Write = &LimitKernels<Width256, Vector256<float>>.Write,
            Copy = &LimitKernels<Width256, Vector256<float>>.Copy,
        },
        Isa.Avx2 => BodiesOf<Width256, Vector256<float>>(),
        _ => BodiesOf<Width128, Vector128<float>>(),
    };

    static Bodies BodiesOf<TWidth, TVector>() where TWidth : struct, IVectorWidth<TVector> where TVector : unmanaged => new()
    {
        Fma = &LimitKernels<TWidth, TVector>.Fma,
        Read = &LimitKernels<TWidth, TVector>.Read,
        ReadCached = &LimitKernels<TWidth, TVector>.ReadCached,
        Write = &LimitKernels<TWidth, TVector>.Write,
        WriteStreaming = &LimitKernels<TWidth, TVector>.WriteStreaming,
        Copy = &LimitKernels<TWidth, TVector>.Copy,
        CopyStreaming = &LimitKernels<TWidth, TVector>.CopyStreaming,
        InPlace = &LimitKernels<TWidth, TVector>.InPlace,
        FmaFlops = LimitKernels<TWidth, TVector>.FmaVectors * 2.0 * (sizeof(TVector) / sizeof(float)),
    };

    static void AmxPeak(void* state, int worker, int count)
    {
        var work = (LimitWork*)state;
        ((delegate* unmanaged<long, void*, void>)work->Code)(work->Times, work->Config);
    }

    static void Nothing(void* state, int worker, int count) { }

    double ReadCache(Limit limit, int threads, long bytesPerWorker)
    {
        bytesPerWorker &= ~4095L;
        if (scratch is null || scratch.Bytes < threads * bytesPerWorker)
            scratch = NativePool.Shared.Rent(threads * bytesPerWorker);
        scratch.AsSpan<byte>().Clear();                                    // otherwise all pages are the one zero page
        var work = new LimitWork { A = (float*)scratch.Pointer, Bytes = bytesPerWorker };
        double rate = Timed(limit, threads, bodies.ReadCached, threads * bytesPerWorker / 1e9, work);
        GC.KeepAlive(scratch);
        return rate;
    }

    /// <summary>Goes once through the memory set.</summary>
    /// <returns>GB/s, each byte of A counted <paramref name="perByte"/> times.</returns>
    double Pass(int threads, delegate*<void*, int, int, void> body, bool usesB, int perByte)
    {
        bool isNew = memory is null;
        memory ??= NativePool.Shared.Rent(MemoryBytes);
        long bytes = usesB ? MemoryBytes / 2 : MemoryBytes;
        float* sums = stackalloc float[16 * workers.Count];
        var work = new LimitWork
        {
            A = (float*)memory.Pointer,
            B = (float*)((byte*)memory.Pointer + MemoryBytes / 2),
            Bytes = MemoryBytes,
            Sums = sums,
        };
        if (isNew) workers.Run(bodies.Write, &work);                       // the first touch brings the pages
        work.Bytes = bytes;
        double seconds = Seconds(threads, body, &work);
        GC.KeepAlive(memory);
        return perByte * bytes / seconds / 1e9;
    }

    /// <summary>Runs a body that loops, as often as fills a sample.</summary>
    /// <returns>Iterations per second times <paramref name="perIteration"/>. A null body is that of a fork and join.</returns>
    double Timed(Limit limit, int threads, delegate*<void*, int, int, void> body, double perIteration, LimitWork work = default)
    {
        float* sums = stackalloc float[16 * threads];
        work.Sums = sums;
        if (limit == Limit.AmxBF16) work.Code = (amxLoop ??= Amx.PeakLoop(bytes: false)).Entry;
        if (limit == Limit.AmxInt8) work.Code = (amxByteLoop ??= Amx.PeakLoop(bytes: true)).Entry;
        fixed (byte* config = Amx.FullTiles())
        {
            work.Config = config;
            if (!times.TryGetValue((limit, threads), out work.Times))
            {
                double seconds;
                for (work.Times = 64; ; work.Times *= 2)
                {
                    seconds = Loop(threads, body, &work);
                    if (seconds > SecondsPerSample / 4) break;
                }
                work.Times = Math.Max(1, (long)(work.Times * SecondsPerSample / seconds));
                times[(limit, threads)] = work.Times;
            }
            double rate = work.Times * perIteration / Loop(threads, body, &work);
            GC.KeepAlive(amxLoop);
            GC.KeepAlive(amxByteLoop);
            return rate;
        }
    }

    double Loop(int threads, delegate*<void*, int, int, void> body, LimitWork* work)
    {
        if (body != null) return Seconds(threads, body, work);
        workers.Run(threads, &Nothing, null);
        long start = Stopwatch.GetTimestamp();
        for (long i = work->Times; i > 0; i--) workers.Run(threads, &Nothing, null);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    double Seconds(int threads, delegate*<void*, int, int, void> body, LimitWork* work)
    {
        workers.Run(threads, &Nothing, null);                              // wakes them: waking is not what is measured
        long start = Stopwatch.GetTimestamp();
        workers.Run(threads, body, work);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}

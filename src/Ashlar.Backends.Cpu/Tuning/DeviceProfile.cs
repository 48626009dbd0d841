using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Runtime.Tuning;

namespace Ashlar.Backends.Cpu.Tuning;

using Tiles = Matrix.Tiles;   // here, for the namespace Ashlar.Tiles hides it

/// <summary>How fast this machine computes, reads, writes and packs: what the model of a product is made of. Measured once, in
/// seconds, and kept.</summary>
/// <param name="Machine">The processor, its cores and caches, and the instruction path.</param>
/// <param name="Version">The version of Ashlar, whose loops were timed.</param>
/// <param name="Threads">What "all" means.</param>
/// <param name="Date">When it was measured, in UTC.</param>
/// <param name="Rates">By name: limits as <c>read.l2@1</c> on one thread and <c>read.l2@all</c>, packing as
/// <c>pack.tiles.copy</c>. GFLOP/s, GB/s, us.</param>
public sealed record DeviceProfile(string Machine, string Version, int Threads, string Date,
    IReadOnlyDictionary<string, double> Rates)
{
    const int Samples = 5;

    static readonly JsonSerializerOptions readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    static readonly Limit[] limits =
        [Limit.Fma, Limit.AmxBF16, Limit.AmxInt8, Limit.L1Read, Limit.L2Read, Limit.L3Read, Limit.Read, Limit.Write,
            Limit.ForkJoin];

    /// <summary>This machine on a path, as caches on disk name it.</summary>
    public static string MachineOf(Isa isa)
    {
        var processor = Processor.Current;
        string tiles = MatrixUnit.PathOf(isa, DType.BFloat16, DType.BFloat16).Name == "amx" ? "+amx" : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"{processor.Model}, {processor.Count} cores, L1 {processor.L1Bytes >> 10} KiB, L2 {processor.L2Bytes >> 10} KiB, L3 {processor.L3Bytes >> 10} KiB, {isa.Name}{tiles}");
    }

    /// <summary>The file of a machine's profile in a folder.</summary>
    public static string PathIn(string folder, string machine) =>
        Path.Combine(folder, $"device-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(machine)))[..12]}.json");

    /// <summary>The rate of a limit; null where this machine has not got it.</summary>
    /// <param name="limit">What was measured.</param>
    /// <param name="all">On all threads; else on one.</param>
    public double? Rate(Limit limit, bool all) =>
        Rates.TryGetValue(NameOf(limit, all && Threads > 1), out double rate) ? rate : null;

    /// <summary>The profile that is kept for this machine, or a new one, which is then kept.</summary>
    /// <param name="folder">Where; null measures each time.</param>
    /// <param name="measure">Measures; the machine's threads and path.</param>
    /// <param name="warn">Told why a file is not taken.</param>
    /// <exception cref="DeviceException">The file cannot be written (ASH0658).</exception>
    internal static DeviceProfile Get(string? folder, Limits measure, Action<string> warn) =>
        Get(folder, MachineOf(measure.Isa), measure.Threads, () => Measure(measure), warn);

    /// <summary>The same for a machine and a way to measure it.</summary>
    internal static DeviceProfile Get(string? folder, string machine, int threads, Func<DeviceProfile> measure,
        Action<string> warn)
    {
        string? path = folder is null ? null : PathIn(folder, machine);
        if (path is not null && File.Exists(path))
        {
            var (profile, problem) = Read(path, machine, threads);
            if (profile is not null) return profile;
            warn($"ASH0657: the device profile {path} {problem}. It is measured again.");
        }
        var measured = measure();
        if (path is not null) measured.Write(path);
        return measured;
    }

    /// <summary>Measures this machine anew, and keeps the profile that tuning reads.</summary>
    /// <param name="limits">The machine's threads and path.</param>
    /// <returns>The file; null where no folder keeps any.</returns>
    /// <exception cref="DeviceException">The file cannot be written (ASH0658).</exception>
    public static string? Renew(Limits limits, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(limits);
        if (CacheFolder.Path is not { } folder) return null;
        var measured = Measure(limits, cancellationToken);
        string path = PathIn(folder, measured.Machine);
        measured.Write(path);
        return path;
    }

    /// <summary>Measures this machine; about two seconds.</summary>
    public static DeviceProfile Measure(Limits limits, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(limits);
        var rates = new Dictionary<string, double>();
        foreach (var limit in DeviceProfile.limits)
            foreach (int threads in limits.Threads == 1 ? (int[])[1] : [1, limits.Threads])
            {
                if (limits.WhyNot(limit, threads) is not null) continue;
                var samples = new List<double>();
                for (int i = 0; i <= Samples; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    double sample = limits.Sample(limit, threads);
                    if (i > 0) samples.Add(sample);                       // the first one warms up
                }
                samples.Sort();
                rates[NameOf(limit, threads > 1)] = samples[samples.Count / 2];
            }
        foreach (var (name, rate) in PackRates.Measure(limits.Isa)) rates[name] = rate;
        return new(MachineOf(limits.Isa), TuningEntry.CurrentVersion, limits.Threads, TuningEntry.Now, rates);
    }

    /// <summary>Keeps the profile.</summary>
    /// <exception cref="DeviceException">The file cannot be written (ASH0658).</exception>
    public void Write(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            var json = Json();
            json["check"] = Check(json);
            string unfinished = path + ".tmp";
            File.WriteAllText(unfinished, json.ToJsonString(readable));
            File.Move(unfinished, path, overwrite: true);
        }
        catch (Exception error) when (error is IOException
            or UnauthorizedAccessException)
        { throw TuningCache.NotWritten(path, error); }
    }

    /// <summary>Reads a profile that must be of this machine, these threads and this version.</summary>
    /// <returns>The profile, or what is wrong with the file, to be read after its name.</returns>
    internal static (DeviceProfile? Profile, string Problem) Read(string path, string machine, int threads)
    {
        try
        {
            if (JsonNode.Parse(File.ReadAllText(path)) is not JsonObject json || json["check"] is null)
                return (null, "is damaged");
            string check = (string)json["check"]!;
            json.Remove("check");
            if (check != Check(json)) return (null, "is damaged");
            if ((string?)json["machine"] != machine) return (null, $"is of another machine ({json["machine"]})");
            if ((string?)json["version"] != TuningEntry.CurrentVersion)
                return (null, $"is of another version ({json["version"]})");
            if ((int)json["threads"]! != threads) return (null, $"was measured with {json["threads"]} threads, not {threads}");
            var rates = json["rates"]!.AsObject().ToDictionary(rate => rate.Key, rate => (double)rate.Value!);
            return rates.Values.All(rate => double.IsFinite(rate) && rate > 0)
                ? (new(machine, TuningEntry.CurrentVersion, threads, (string)json["date"]!, rates), "") : (null,
                    "holds rates that cannot be");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or ArgumentNullException
            or FormatException or IOException
            or UnauthorizedAccessException)
        {
            return (null, "cannot be read");
        }
    }

    JsonObject Json() => new()
    {
        ["machine"] = Machine,
        ["version"] = Version,
        ["threads"] = Threads,
        ["date"] = Date,
        ["rates"] = new JsonObject(Rates.OrderBy(rate => rate.Key, StringComparer.Ordinal)
            .Select(rate =>
                KeyValuePair.Create(rate.Key,
                    (JsonNode?)JsonValue.Create(double.Parse(rate.Value.ToString("G6", CultureInfo.InvariantCulture),
                        CultureInfo.InvariantCulture))))),
    };

    static string Check(JsonObject json) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(json.ToJsonString())))[..16];

    static string NameOf(Limit limit, bool all) => $"{Limits.NameOf(limit)}@{(all ? "all" : "1")}";
}

/// <summary>How fast operands are brought into panels, from the second cache to the second cache, and how fast panels are
/// multiplied.</summary>
static unsafe class PackRates
{
    const long Free = 256, Inner = 256;                // of float32; of smaller types as many bytes
    const int Samples = 7;

    public const string Transpose = "pack.vectors.transpose", Copy = "pack.vectors.copy", TileCopy = "pack.tiles.copy",
        TileTranspose = "pack.tiles.transpose",
        TileInterleave = "pack.tiles.interleave";

    /// <summary>GFLOP/s of bfloat16 panels: one of 16 steps stays, or of 32, which the first cache does not hold; the others come
    /// from the second cache.</summary>
    public const string NearTiles = "tiles.steps16", WideTiles = "tiles.steps32";

    /// <summary>GB/s of what is packed, GFLOP/s of what is multiplied, on one thread, by name.</summary>
    public static IEnumerable<(string Name, double Rate)> Measure(Isa isa)
    {
        var rates = new List<(string, double)>
        {
            (Transpose, Rate((from, to, _) => Packing.Transpose(isa, 4, from, Inner * 4, Free, Inner, to, Free * 4))),
            (Copy, Rate((from, to, _) => Packing.CopyRows(isa, from, Free * 4, Inner, Free * 4, to, Free * 4))),
        };
        if (MatrixUnit.PathOf(isa, DType.BFloat16, DType.BFloat16).Name != "amx") return rates;
        const long inner = Inner * 2, steps = inner / 32;
        rates.Add((TileCopy, Rate((from, to, staging) => Pack(from, to, staging, isLeft: true, byFree: false))));
        rates.Add((TileTranspose, Rate((from, to, staging) => Pack(from, to, staging, isLeft: false, byFree: false))));
        rates.Add((TileInterleave, Rate((from, to, staging) => Pack(from, to, staging, isLeft: false, byFree: true))));
        rates.Add((NearTiles, Products(16)));
        rates.Add((WideTiles, Products(32)));
        return rates;

        static void Pack(byte* from, byte* to, byte* staging, bool isLeft, bool byFree) =>
            TilePacking.PackAll(byFree ? new((nint)from, DType.BFloat16, 1, Free) : new((nint)from, DType.BFloat16, inner, 1),
                Free, inner, steps, isLeft, 2, staging, to,
                steps * Tiles.StepBytes);
    }

    // Row panels that fill a quarter of a second cache of 2 MiB go past a column panel.
    static double Products(long steps)
    {
        const int panels = 16, times = 8;
        var memory = NativePool.Shared.Rent((panels + 1) * steps * Tiles.StepBytes + panels * Tiles.StepBytes * 2);
        memory.AsSpan<byte>().Clear();
        byte* right = (byte*)memory.Pointer, left = right + steps * Tiles.StepBytes, sums = left
            + panels * steps * Tiles.StepBytes;
        var kernel = TileKernels.Get(new(TileProduct.BF16, 2, LeftMoves: true, Adds: false, Ahead: 0));
        const long stride = Tiles.PanelSide * sizeof(float);
        var samples = new List<double>();
        TileKernels.Configure();
        for (int i = 0; i <= Samples; i++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int j = 0; j < times; j++)
            {
                var arguments = new TileArguments
                {
                    A = (long)left,
                    AStep = steps * Tiles.StepBytes,
                    B = (long)right,
                    C = (long)sums,
                    CStep = Tiles.PanelSide * stride,
                    CStride = stride,
                    CTile = Tiles.Side * stride,
                    Steps = steps,
                    Count = panels,
                };
                kernel(&arguments);
            }
            double flops = 2.0 * Tiles.PanelSide * Tiles.PanelSide * Tiles.RowBytes / 2 * steps * panels * times;
            if (i > 0) samples.Add(flops / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9);
        }
        TileKernels.Release();
        GC.KeepAlive(memory);
        samples.Sort();
        return samples[samples.Count / 2];
    }

    delegate void Packer(byte* from, byte* to, byte* staging);

    static double Rate(Packer pack)
    {
        const long bytes = Free * Inner * 4;
        var from = NativePool.Shared.Rent(bytes + 4096);
        var to = NativePool.Shared.Rent(bytes + 4096);
        var staging = NativePool.Shared.Rent(1 << 20);
        from.AsSpan<byte>().Clear();
        to.AsSpan<byte>().Clear();
        var samples = new List<double>();
        for (int i = 0; i <= Samples; i++)
        {
            const int times = 40;
            long start = Stopwatch.GetTimestamp();
            for (int j = 0; j < times; j++) pack((byte*)from.Pointer, (byte*)to.Pointer, (byte*)staging.Pointer);
            if (i > 0) samples.Add(times * bytes / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9);
        }
        GC.KeepAlive((from, to, staging));
        samples.Sort();
        return samples[samples.Count / 2];
    }
}

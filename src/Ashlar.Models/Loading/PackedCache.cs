using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>That packed weights are kept in a file from one start to the next, where they are mapped instead of packed.</summary>
/// <param name="Folder">Where the file is; made where it does not exist. Null keeps it beside the model.</param>
/// <param name="Notice">Told in words when a file was written, and why one that was there is not used; null: nobody is
/// told.</param>
public sealed record WeightCache(string? Folder = null, Action<string>? Notice = null)
{
    /// <summary>The file that is there turned out to be damaged: it is not looked at, but replaced.</summary>
    internal bool Replaces { get; init; }
}

/// <summary>The file of one model's packed weights: docs/formats/packed-weights.md.</summary>
/// <remarks>
/// It is of use only for the very files that it was made of (names, lengths, times of change and samples of the content), for one
/// encoding and one layout. All of its bytes are checked, in the background: <see cref="IsWhole"/> waits for that. A file that
/// does not fit is replaced, and the owner is told why.
/// </remarks>
sealed class PackedCache
{
    const string FormatKey = "format", FormatName = "ashlar packed weights 1", SourceKey = "source", ChecksumKey = "crc32c ";
    const int PieceBytes = 16 << 20, SampleBytes = 4 << 10, Samples = 64;

    readonly string path, source;
    readonly WeightCache options;
    readonly Safetensors? file;
    readonly List<(string Name, PackedWeight Weight)> all = [];
    readonly Task<ModelFileException?>? checking;
    int fresh;

    /// <summary>Opens the file of a model, where there is one that fits.</summary>
    /// <param name="model">The model's files.</param>
    /// <param name="encoding">What matrices of floats become.</param>
    /// <param name="options">Where the file is.</param>
    public PackedCache(WeightFile model, WeightEncoding? encoding, WeightCache options)
    {
        this.options = options;
        path = PathOf(model, encoding, options.Folder);
        source = Identity(model, encoding);
        if (options.Replaces || !File.Exists(path)) return;
        try
        {
            file = Safetensors.Open(path);
            CheckHeader(file);
            var opened = file;
            checking = Task.Run(() => Damage(opened));
        }
        catch (ModelFileException problem)
        {
            file?.Dispose();
            file = null;
            options.Notice?.Invoke($"{problem.Message} The weights are packed again.");
        }
    }

    /// <summary>True where weights are to be packed and written.</summary>
    public bool IsMissing => file is null;

    /// <summary>A weight of the file; null where it is to be packed.</summary>
    public PackedWeight? Find(string name, WeightEncoding encoding, long rows, long columns, long count)
    {
        string key = Key(name, encoding, rows, columns, count);
        if (file is null || !file.TryGet(key, out var entry)
            || entry.Bytes != PackedWeight.BytesOf(encoding, rows, columns, count)) return null;
        var weight = PackedWeight.Over(encoding, rows, columns, count, file.Pin(entry));
        all.Add((key, weight));
        return weight;
    }

    /// <summary>Takes a weight that is packed, or will be when <see cref="Save"/> is called.</summary>
    public void Keep(string name, PackedWeight weight)
    {
        all.Add((Key(name, weight.Encoding, weight.Rows, weight.Columns, weight.Count), weight));
        fresh++;
    }

    /// <summary>Writes the file where it lacks something. One that cannot be written is told, not an error: the model is
    /// loaded.</summary>
    /// <param name="progress">Told which share is written.</param>
    public void Save(Action<double>? progress)
    {
        if (fresh == 0) return;
        if (file is not null) options.Notice?.Invoke($"{path} lacks {fresh} of {all.Count} weights: it is written anew.");
        long total = all.Sum(one => one.Weight.Data.Shape[0].Value), written = 0;
        var sums = new uint[all.Count];
        Parallel.For(0, sums.Length, i => sums[i] = Checksum(all[i].Weight.Data.Shape[0].Value, all[i].Weight.Span));
        var metadata = new Dictionary<string, string> { [FormatKey] = FormatName, [SourceKey] = source };
        for (int i = 0; i < sums.Length; i++)
            metadata[ChecksumKey + all[i].Name] = sums[i].ToString("x8", CultureInfo.InvariantCulture);
        try
        {
            Safetensors.Write(path, all.Select(one => new NamedArray(one.Name, DType.UInt8, one.Weight.Data.Shape, stream =>
            {
                for (long at = 0, bytes = one.Weight.Data.Shape[0].Value; at < bytes; at += PieceBytes)
                {
                    var piece = one.Weight.Span(at, (int)Math.Min(PieceBytes, bytes - at));
                    stream.Write(piece);
                    progress?.Invoke((double)(written += piece.Length) / total);
                }
            })), metadata);
            options.Notice?.Invoke($"packed weights are kept in {path}, {total / 1e6:F0} MB.");
        }
        catch (ModelFileException problem)
        {
            options.Notice?.Invoke($"packed weights are not kept: {problem.Message}");
        }
    }

    /// <summary>Waits until all bytes of the file that was there are checked. Before, nothing may be computed with
    /// them.</summary>
    /// <returns>False where it is damaged: the owner was told, and weights that were found in it are of no use.</returns>
    public bool IsWhole()
    {
        if (checking?.GetAwaiter().GetResult() is not { } problem) return true;
        options.Notice?.Invoke($"{problem.Message} The weights are packed again.");
        return false;
    }

    /// <summary>Lets go of the file; weights that were found in it hold it in place.</summary>
    public void Close() => file?.Dispose();

    void CheckHeader(Safetensors found)
    {
        if (!found.Metadata.TryGetValue(FormatKey, out string? format) || format != FormatName)
            throw new ModelFileException("ASH0740", $"{path} is no file of packed weights that this version of Ashlar writes.",
                "delete it, or name another folder for packed weights.");
        if (!found.Metadata.TryGetValue(SourceKey, out string? of) || of != source)
            throw new ModelFileException("ASH0740", $"{path} was packed of other files, or for another layout.",
                "nothing is to be done: it is replaced.");
    }

    // Half of the processors: the others compile meanwhile.
    ModelFileException? Damage(Safetensors found)
    {
        int damaged = -1;
        Parallel.For(0, found.Entries.Count, new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Max(1, Environment.ProcessorCount / 2),
        }, i =>
        {
            var entry = found.Entries[i];
            if (entry.Offset % 64 != 0 || !found.Metadata.TryGetValue(ChecksumKey + entry.Name, out string? sum)
                || sum != Checksum(entry.Bytes, (at, count) => found.Span(entry, at, count))
                .ToString("x8", CultureInfo.InvariantCulture))
                Interlocked.Exchange(ref damaged, i);
        });
        return damaged < 0 ? null
            : new("ASH0739", $"{path} is damaged: the bytes of {found.Entries[damaged].Name} are not those that were written.",
                "nothing is to be done: it is replaced. Check the disk if it happens again.");
    }

    delegate ReadOnlySpan<byte> Piece(long start, int count);

    static uint Checksum(long bytes, Piece piece)
    {
        Crc32C sum = default;
        for (long at = 0; at < bytes; at += PieceBytes) sum.Append(piece(at, (int)Math.Min(PieceBytes, bytes - at)));
        return sum.Value;
    }

    static string Key(string name, WeightEncoding encoding, long rows, long columns, long count) =>
        $"{name} {encoding.Name} {count}x{rows}x{columns}";

    static string PathOf(WeightFile model, WeightEncoding? encoding, string? folder)
    {
        string full = Path.GetFullPath(model.Path).TrimEnd(Path.DirectorySeparatorChar), name = Path.GetFileName(full);
        string kind = encoding is null ? "" : $".{encoding.Name}";
        if (folder is null) return Directory.Exists(full) ? Path.Combine(full, $"model{kind}.packed") : $"{full}{kind}.packed";
        // Models of one name in several folders.
        string place = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(full)).AsSpan(0, 4));
        return Path.Combine(folder, $"{name}-{place}{kind}.packed");
    }

    // Reading all of a model's files would take as long as packing them: lengths, times and samples tell them apart.
    static string Identity(WeightFile model, WeightEncoding? encoding)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add($"layout {PackedWeight.LayoutVersion} {encoding?.Name}");
        byte[] sample = new byte[SampleBytes];
        foreach (string part in model.Parts)
        {
            var info = new FileInfo(part);
            Add($"{info.Name} {info.Length} {info.LastWriteTimeUtc.Ticks}");
            using var handle = File.OpenHandle(part, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            for (int i = 0; i < Samples; i++)
            {
                int read =
                    RandomAccess.Read(handle, sample, (long)((double)Math.Max(0, info.Length - SampleBytes) * i / (Samples - 1)));
                hash.AppendData(sample.AsSpan(0, read));
            }
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Add(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
    }
}

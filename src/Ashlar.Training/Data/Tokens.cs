using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Ashlar.Formats;
using Ashlar.Tokenizers;

namespace Ashlar.Training;

/// <summary>A long row of tokens: in memory, or in a token file that is mapped into memory. Immutable and thread-safe.</summary>
/// <remarks>
/// Tokens of a vocabulary of up to 65,536 take 2 bytes each, others 4. docs/formats/tokens.md describes the file. Disposing
/// unmaps the file for all parts that were cut of it.
/// </remarks>
public sealed class Tokens : IDisposable
{
    const int HeaderBytes = 64, Version = 1;
    static ReadOnlySpan<byte> Magic => "ASHTOKEN"u8;

    readonly MappedFile? file;
    readonly ushort[] narrow = [];
    readonly int[] wide = [];
    readonly bool isNarrow;
    readonly long start;

    Tokens(MappedFile? file, ushort[] narrow, int[] wide, bool isNarrow, int vocabulary, long start, long count)
    {
        (this.file, this.narrow, this.wide, this.isNarrow, this.start) = (file, narrow, wide, isNarrow, start);
        (Vocabulary, Count) = (vocabulary, count);
    }

    /// <summary>How many there are.</summary>
    public long Count { get; }

    /// <summary>Every token is less than this.</summary>
    public int Vocabulary { get; }

    /// <summary>Tokens in memory.</summary>
    /// <param name="pieces">One after the other.</param>
    /// <param name="vocabulary">Every token is less than this.</param>
    /// <exception cref="DataException">A token is not.</exception>
    public static Tokens Of(IEnumerable<ReadOnlyMemory<int>> pieces, int vocabulary)
    {
        ArgumentNullException.ThrowIfNull(pieces);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabulary);
        var (narrow, wide) = (new List<ushort>(), new List<int>());
        bool isNarrow = vocabulary <= 1 << 16;
        foreach (var piece in pieces)
        {
            ThrowUnlessBelow(piece.Span, vocabulary, "the tokens given");
            if (isNarrow)
                foreach (int token in piece.Span) narrow.Add((ushort)token);
            else wide.AddRange(piece.Span);
        }
        return new(null, [.. narrow], [.. wide], isNarrow, vocabulary, 0, narrow.Count + wide.Count);
    }

    /// <summary>Tokens in memory.</summary>
    /// <inheritdoc cref="Of(IEnumerable{ReadOnlyMemory{int}}, int)"/>
    public static Tokens Of(ReadOnlyMemory<int> tokens, int vocabulary) => Of([tokens], vocabulary);

    /// <summary>The tokens of a text, in memory. For texts of gigabytes, <see cref="Write"/> them to a file instead.</summary>
    public static Tokens Of(TextFile text, Tokenizer tokenizer) => Of(text.Encode(tokenizer), tokenizer.VocabularySize);

    /// <summary>Opens a token file.</summary>
    /// <exception cref="DataException">It cannot be opened, is of another format or version, or is cut short.</exception>
    public static Tokens Open(string path)
    {
        MappedFile file;
        try
        {
            file = new(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DataException("ASH0430",
                $"{path} could not be opened: {error.Message.TrimEnd('.')}.",
                "name a token file that exists and may be read.");
        }
        try
        {
            return Read(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes a token file, atomically.</summary>
    /// <param name="path">The file; one of that name is replaced.</param>
    /// <param name="pieces">One after the other, such as <see cref="TextFile.Encode"/> gives them.</param>
    /// <param name="vocabulary">Every token is less than this.</param>
    /// <exception cref="DataException">A token is not.</exception>
    /// <exception cref="ModelFileException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<ReadOnlyMemory<int>> pieces, int vocabulary)
    {
        ArgumentNullException.ThrowIfNull(pieces);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabulary);
        int width = vocabulary <= 1 << 16 ? 2 : 4;
        AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[HeaderBytes]);   // the count is known at the end
            var counted = new CountingStream(stream);
            foreach (var piece in pieces)
            {
                ThrowUnlessBelow(piece.Span, vocabulary, "the tokens given");
                if (width == 4) NamedArray.WriteElements(counted, piece.Span);
                else NamedArray.WriteElements<ushort>(counted, Array.ConvertAll(piece.ToArray(), token => (ushort)token));
            }
            byte[] header = new byte[HeaderBytes];
            Magic.CopyTo(header);
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), Version);
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), width);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), counted.Written / width);
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(24), vocabulary);
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(28), counted.Checksum);
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(60), Crc32C.Of(header.AsSpan(0, 60)));
            stream.Position = 0;
            stream.Write(header);
        });
    }

    /// <summary>Copies tokens into memory of the caller; allocates nothing.</summary>
    /// <param name="at">The first one.</param>
    /// <param name="target">As many as it has room for.</param>
    /// <exception cref="DataException">The file holds a token that its vocabulary does not have.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There are not that many from there on.</exception>
    public void Read(long at, Span<int> target)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(at);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(at, Count - target.Length);
        long from = start + at;
        if (isNarrow)
        {
            var source = file is null
                ? narrow.AsSpan((int)from, target.Length)
                : file.Span<ushort>(HeaderBytes + 2 * from, target.Length);
            for (int i = 0; i < target.Length; i++) target[i] = source[i];
        }
        else (file is null ? wide.AsSpan((int)from, target.Length) : file.Span<int>(HeaderBytes + 4 * from, target.Length))
            .CopyTo(target);
        if (file is not null) ThrowUnlessBelow(target, Vocabulary, file.Path);
    }

    /// <summary>A part of them, without a copy.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not within.</exception>
    public Tokens Slice(long from, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from, Count - count);
        return new(file, narrow, wide, isNarrow, Vocabulary, start + from, count);
    }

    /// <summary>Cuts off the end for validation.</summary>
    /// <param name="validation">The share to validate on, between 0 and 1: 0.1 is usual.</param>
    /// <param name="context">How many tokens the model sees; each part must hold one more.</param>
    /// <exception cref="DataException">A part is too short.</exception>
    public (Tokens Training, Tokens Validation) Split(double validation, int context)
    {
        if (!(validation is > 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(validation), validation, "a share between 0 and 1 was needed.");
        long cut = Count - (long)Math.Ceiling(Count * validation);
        var (training, rest) = (Slice(0, cut), Slice(cut, Count - cut));
        training.ThrowUnlessEnough(context, "to train on");
        rest.ThrowUnlessEnough(context, "to validate on");
        return (training, rest);
    }

    /// <summary>
    /// A number that differs, very likely, for other tokens: the checksum of their count, their vocabulary and a sample of them.
    /// </summary>
    public uint Fingerprint()
    {
        const int Samples = 64, Length = 1024;
        Crc32C sum = default;
        long[] facts = [Count, Vocabulary];
        sum.Append(MemoryMarshal.AsBytes(facts.AsSpan()));
        int[] sample = new int[Length];
        bool all = Count <= Samples * Length;
        for (int i = 0; i < Samples; i++)
        {
            long from = all ? (long)i * Length : (Count - Length) * i / (Samples - 1);
            if (from >= Count) break;
            var part = sample.AsSpan(0, (int)Math.Min(Length, Count - from));
            Read(from, part);
            sum.Append(MemoryMarshal.AsBytes(part));
        }
        return sum.Value;
    }

    /// <summary>Reads all of a token file and compares it with the checksum that was written with it.</summary>
    /// <exception cref="DataException">They differ: the file is damaged.</exception>
    public void Verify()
    {
        if (file is null) return;
        Crc32C sum = default;
        for (long offset = HeaderBytes; offset < file.Bytes; offset += 1 << 24)
            sum.Append(file.Span<byte>(offset, (int)Math.Min(1 << 24, file.Bytes - offset)));
        uint expected = BinaryPrimitives.ReadUInt32LittleEndian(file.Span<byte>(28, 4));
        if (sum.Value != expected)
            throw Damaged(file.Path, $"its tokens have the checksum {sum.Value:x8}, but {expected:x8} was written");
    }

    /// <summary>Unmaps the file, where there is one.</summary>
    public void Dispose() => file?.Dispose();

    /// <summary>Fails where there is not one context and the token behind it.</summary>
    internal void ThrowUnlessEnough(int context, string purpose)
    {
        if (Count <= context)
            throw new DataException("ASH0433",
                $"there are {Count:N0} tokens {purpose}, but a context of {context:N0} needs at least {context + 1L:N0}.",
                "give more text, or a smaller context.");
    }

    static Tokens Read(MappedFile file)
    {
        if (file.Bytes < HeaderBytes || !file.Span<byte>(0, 8).SequenceEqual(Magic))
            throw Damaged(file.Path, "it does not begin as a token file does");
        var header = file.Span<byte>(0, HeaderBytes);
        int version = BinaryPrimitives.ReadInt32LittleEndian(header[8..]),
            width = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
        long count = BinaryPrimitives.ReadInt64LittleEndian(header[16..]);
        int vocabulary = BinaryPrimitives.ReadInt32LittleEndian(header[24..]);
        if (version != Version)
            throw new DataException("ASH0435",
                $"{file.Path} is a token file of version {version}, but this Ashlar reads version {Version}.",
                "write the tokens again from the text.");
        if (BinaryPrimitives.ReadUInt32LittleEndian(header[60..]) != Crc32C.Of(header[..60]))
            throw Damaged(file.Path, "its header does not have the checksum that it names");
        if (width is not (2 or 4) || vocabulary <= 0 || count < 0)
            throw Damaged(file.Path, $"it claims {count} tokens of {width} bytes of a vocabulary of {vocabulary}");
        if ((Int128)count * width + HeaderBytes != file.Bytes)
            throw Damaged(file.Path, $"{count:N0} tokens of {width} bytes take {(Int128)count * width + HeaderBytes:N0} bytes with the header, "
                + $"but the file has {file.Bytes:N0}");
        return new(file, [], [], width == 2, vocabulary, 0, count);
    }

    static void ThrowUnlessBelow(ReadOnlySpan<int> tokens, int vocabulary, string source)
    {
        foreach (int token in tokens)
            if ((uint)token >= (uint)vocabulary) Throw(token);

        void Throw(int token) => throw new DataException("ASH0436",
            $"{source} hold the token {token}, but the vocabulary has {vocabulary:N0}.",
            "encode the text with the tokenizer of this model.");
    }

    static DataException Damaged(string path, string problem) =>
        new("ASH0434", $"{path} is no whole token file: {problem}.", "write the tokens again from the text.");
}

using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Ashlar.Formats;
using Ashlar.Tokenizers;

namespace Ashlar.Training;

/// <summary>A text to train on: a UTF-8 file, mapped into memory and found to be text from its first byte to its last.</summary>
/// <remarks>A file may have many times the size of memory: it is read in pieces, and nothing holds a copy of it. A byte order
/// mark is skipped.</remarks>
public sealed class TextFile : IDisposable
{
    const int CheckedAtOnce = 1 << 20;

    readonly MappedFile file;
    readonly int mark;   // bytes of the byte order mark

    TextFile(MappedFile file, int mark) => (this.file, this.mark) = (file, mark);

    /// <summary>The file.</summary>
    public string Path => file.Path;

    /// <summary>How many bytes of text there are, without a byte order mark.</summary>
    public long Bytes => file.Bytes - mark;

    /// <summary>Opens a file and reads all of it once, to see that it is text.</summary>
    /// <exception cref="DataException">
    /// It cannot be opened, is empty, or is not UTF-8; the message names the first bad byte.
    /// </exception>
    public static TextFile Open(string path)
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
                "name a text file that exists and may be read.");
        }
        try
        {
            var start = file.Span<byte>(0, (int)Math.Min(3, file.Bytes));
            if (start.StartsWith((ReadOnlySpan<byte>)[0xff, 0xfe]) || start.StartsWith((ReadOnlySpan<byte>)[0xfe, 0xff]))
                throw new DataException("ASH0432",
                    $"{path} begins with the byte order mark of UTF-16, but text is read as UTF-8.",
                    $"convert it: iconv -f UTF-16 -t UTF-8 '{path}' > new.txt");
            int mark = start.SequenceEqual((ReadOnlySpan<byte>)[0xef, 0xbb, 0xbf]) ? 3 : 0;
            if (file.Bytes == mark)
                throw new DataException("ASH0431",
                    $"{path} is empty{(mark > 0 ? " but for a byte order mark" : "")}.",
                    "name a file with text to learn from.");
            Check(file, mark);
            return new(file, mark);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The text in pieces of UTF-8, in order; together they are the whole of it.</summary>
    /// <param name="mostBytes">The size of a piece, but for the last one.</param>
    /// <remarks>
    /// Pieces end between a character that is seen and a line break, so that no tokenizer encodes the pieces otherwise than the
    /// whole; where a piece has no such place, it ends between any two characters. Pieces are views of the file: use each before
    /// this is disposed.
    /// </remarks>
    public IEnumerable<ReadOnlyMemory<byte>> Pieces(int mostBytes = 1 << 22)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mostBytes, 4);
        for (long offset = mark; offset < file.Bytes;)
        {
            int length = (int)Math.Min(mostBytes, file.Bytes - offset);
            if (offset + length < file.Bytes) length = EndOfPiece(file.Span<byte>(offset, length + 1));
            yield return file.Memory<byte>(offset, length);
            offset += length;
        }
    }

    /// <summary>The tokens of the text, piece by piece.</summary>
    /// <exception cref="TokenizerException">The text has a character that the tokenizer does not know.</exception>
    public IEnumerable<ReadOnlyMemory<int>> Encode(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        foreach (var piece in Pieces())
        {
            var tokens = new List<int>(piece.Length / 2);
            tokenizer.Encode(piece.Span, tokens);
            yield return tokens.ToArray();
        }
    }

    /// <summary>The whole text as a string.</summary>
    /// <exception cref="DataException">It is longer than a string may be.</exception>
    public string ReadAll() => Bytes <= 1 << 29 ? Encoding.UTF8.GetString(file.Span<byte>(mark, (int)Bytes))
        : throw new DataException("ASH0430",
            $"{Path} has {ByteSize.Text(Bytes)}, too much for one string.",
            "read it in pieces.");

    /// <summary>Unmaps the file.</summary>
    public void Dispose() => file.Dispose();

    static void Check(MappedFile file, long from)
    {
        for (long offset = from; offset < file.Bytes;)
        {
            int length = (int)Math.Min(CheckedAtOnce, file.Bytes - offset);
            if (offset + length < file.Bytes) length = EndOfCharacters(file.Span<byte>(offset, length + 1));
            var piece = file.Span<byte>(offset, length);
            if (!Utf8.IsValid(piece)) throw NotText(file, offset, piece);
            offset += length;
        }
    }

    /// <returns>How many bytes before the last one are whole characters; all of them where there is no telling.</returns>
    static int EndOfCharacters(ReadOnlySpan<byte> bytes)
    {
        for (int end = bytes.Length - 1; end > 0 && end >= bytes.Length - 4; end--)
            if ((bytes[end] & 0xc0) != 0x80) return end;   // here a character begins
        return bytes.Length - 1;
    }

    static int EndOfPiece(ReadOnlySpan<byte> bytes)
    {
        // Between what is no white space and a line break every splitter of words cuts.
        for (int end = bytes.Length - 1; end > 0; end--)
        {
            end = bytes[..(end + 1)].LastIndexOf((byte)'\n');
            if (end <= 0) break;
            Rune.DecodeLastFromUtf8(bytes[..end], out var before, out _);
            if (!Rune.IsWhiteSpace(before)) return end;
        }
        return EndOfCharacters(bytes);
    }

    static DataException NotText(MappedFile file, long offset, ReadOnlySpan<byte> piece)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(piece[at..], out _, out int length) == OperationStatus.Done) at += length;
        long bad = offset + at, line = 1;
        for (long start = 0; start < bad; start += CheckedAtOnce)
            line += file.Span<byte>(start, (int)Math.Min(CheckedAtOnce, bad - start)).Count((byte)'\n');
        byte[] first = piece.Slice(at, Math.Min(4, piece.Length - at)).ToArray();
        string shown = string.Join(' ', first.Select(value => value.ToString("x2", CultureInfo.InvariantCulture)));
        return new("ASH0432",
            $"{file.Path} is not UTF-8: the bytes {shown} at byte {bad:N0}, in line {line:N0}, are no character.",
            $"convert it, for instance from Latin-1: iconv -f ISO-8859-1 -t UTF-8 '{file.Path}' > new.txt");
    }
}

using System.Buffers.Binary;
using System.Collections;
using System.Text;
using System.Text.Unicode;

namespace Ashlar.Formats;

/// <summary>The texts of a list in the metadata of a GGUF file: bytes of the file until a string is asked for.</summary>
public sealed class GgufTexts : IReadOnlyList<string>
{
    readonly string path, key;
    readonly ReadOnlyMemory<byte> bytes;
    readonly int[] starts;   // of the first byte of each text, behind its length

    internal GgufTexts(string path, string key, ReadOnlyMemory<byte> bytes, int count)
    {
        (this.path, this.key, this.bytes) = (path, key, bytes);
        starts = new int[count + 1];
        var span = bytes.Span;
        int at = 0;
        for (int i = 0; i < count; i++)
        {
            starts[i] = at + 8;
            at += 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(span[at..]);
        }
        starts[count] = at + 8;
    }

    /// <summary>How many texts there are.</summary>
    public int Count => starts.Length - 1;

    /// <summary>A text, as a new string.</summary>
    /// <exception cref="ModelFileException">It is not UTF-8: <see cref="Utf8"/> gives its bytes.</exception>
    public string this[int index]
    {
        get
        {
            var text = this.Utf8(index).Span;
            return System.Text.Unicode.Utf8.IsValid(text) ? Encoding.UTF8.GetString(text)
                : throw new ModelFileException("ASH0453", $"{path}: text {index} of '{key}' is not UTF-8.",
                    "write or download the file again.");
        }
    }

    /// <summary>The bytes of a text, as they lie in the file; allocates nothing.</summary>
    public ReadOnlyMemory<byte> Utf8(int index) => bytes[starts[index]..(starts[index + 1] - 8)];

    /// <summary>The first texts, in quotes, whatever their bytes are.</summary>
    internal IEnumerable<string> Shown(int most)
    {
        for (int i = 0; i < Math.Min(most, Count); i++) yield return $"'{Encoding.UTF8.GetString(Utf8(i).Span)}'";
    }

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator()
    {
        for (int i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

using System.Buffers.Binary;
using System.Text;

namespace Ashlar.Formats;

/// <summary>The pieces of a tokenizer.model: a protocol buffer whose field 1 is a piece, with text, score and kind in fields 1 to
/// 3.</summary>
static class SentencePieces
{
    const int Piece = 1 << 3 | 2, Text = 1 << 3 | 2, Score = 2 << 3 | 5, Kind = 3 << 3 | 0;

    public static (List<string> Texts, List<float> Scores, List<int> Kinds) Read(ReadOnlySpan<byte> model)
    {
        List<string> texts = [];
        List<float> scores = [];
        List<int> kinds = [];
        while (model.Length > 0)
        {
            ulong tag = Number(ref model);
            var field = Take(ref model, tag);
            if (tag != Piece) continue;
            string text = "";
            float score = 0;
            int kind = 1;
            while (field.Length > 0)
            {
                ulong part = Number(ref field);
                var rest = field;
                var value = Take(ref field, part);
                if (part == Text) text = Encoding.UTF8.GetString(value);
                else if (part == Score) score = BinaryPrimitives.ReadSingleLittleEndian(value);
                else if (part == Kind) kind = (int)Math.Min(Number(ref rest), int.MaxValue);
            }
            texts.Add(text);
            scores.Add(score);
            kinds.Add(kind);
        }
        return texts.Count > 0 ? (texts, scores, kinds) : throw Damaged();
    }

    /// <summary>A tokenizer.model of the vocabulary of a GGUF file, which merges by scores.</summary>
    public static byte[] Write(GgufMetadata metadata)
    {
        var texts = metadata.Texts("tokenizer.ggml.tokens");
        float[] scores = metadata.Floats("tokenizer.ggml.scores");
        long[] kinds = metadata.TryInts("tokenizer.ggml.token_type", out var given) ? given
            : [.. Enumerable.Repeat(1L, texts.Count)];
        if (scores.Length != texts.Count || kinds.Length != texts.Count)
            throw new ModelFileException("ASH0465",
                $"the file has {texts.Count:N0} tokens, {scores.Length:N0} scores and {kinds.Length:N0} kinds.",
                "download the file again.");
        var all = new MemoryStream();
        for (int id = 0; id < texts.Count; id++)
        {
            var piece = new MemoryStream();
            var text = texts.Utf8(id);
            PutNumber(piece, Text);
            PutNumber(piece, (ulong)text.Length);
            piece.Write(text.Span);
            PutNumber(piece, Score);
            piece.Write(BitConverter.GetBytes(scores[id]));
            PutNumber(piece, Kind);
            PutNumber(piece, (ulong)kinds[id]);
            PutNumber(all, Piece);
            PutNumber(all, (ulong)piece.Length);
            piece.WriteTo(all);
        }
        // The trainer's settings: model_type BPE, bytes for what has no piece.
        all.Write([2 << 3 | 2, 5, 3 << 3, 2, 35 << 3 & 0x7f | 0x80, 35 << 3 >> 7, 1]);
        return all.ToArray();
    }

    static void PutNumber(MemoryStream stream, ulong number)
    {
        for (; number >= 0x80; number >>= 7) stream.WriteByte((byte)(number | 0x80));
        stream.WriteByte((byte)number);
    }

    static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, ulong tag)
    {
        ulong length = (tag & 7) switch { 0 => 0, 1 => 8, 2 => Number(ref bytes), 5 => 4, _ => throw Damaged() };
        if ((tag & 7) == 0)
        {
            var before = bytes;
            Number(ref bytes);
            return before[..^bytes.Length];
        }
        if (length > (ulong)bytes.Length) throw Damaged();
        var taken = bytes[..(int)length];
        bytes = bytes[(int)length..];
        return taken;
    }

    static ulong Number(ref ReadOnlySpan<byte> bytes)
    {
        ulong number = 0;
        for (int i = 0; i < 10; i++)
        {
            if (i >= bytes.Length) throw Damaged();
            number |= (ulong)(bytes[i] & 0x7f) << 7 * i;
            if (bytes[i] >= 0x80) continue;
            bytes = bytes[(i + 1)..];
            return number;
        }
        throw Damaged();
    }

    static ModelFileException Damaged() =>
        new("ASH0465", "tokenizer.model is no SentencePiece model, or is cut short.", "download the file again.");
}

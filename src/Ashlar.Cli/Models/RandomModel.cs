using System.Runtime.InteropServices;
using Ashlar.Formats;

namespace Ashlar.Cli;

/// <summary>Llama-shaped models of random weights, to measure speed without a download. Other programs read the files
/// too.</summary>
static class RandomModel
{
    const int Piece = 1 << 20;

    sealed record Size(int Layers, int Width, int FeedForward, int Heads, int KvHeads, int Vocabulary, int Context);

    static readonly Dictionary<string, Size> sizes = new()
    {
        ["tiny"] = new(2, 256, 512, 8, 2, 32000, 2048),
        ["160m"] = new(12, 768, 3072, 12, 4, 32000, 4096),
        ["1b"] = new(16, 2048, 8192, 32, 8, 32000, 8192),
    };

    /// <summary>What can be made.</summary>
    public static IEnumerable<string> Sizes => sizes.Keys;

    /// <summary>Writes a GGUF file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">One of <see cref="Sizes"/>.</param>
    /// <param name="type">Of its matrices: bf16, q8_0 or q4_0.</param>
    public static void Write(string path, string name, WeightType type)
    {
        var size = sizes[name];
        int head = size.Width / size.Heads;
        var metadata = new GgufMetadata();
        metadata.SetText("general.architecture", "llama");
        metadata.SetText("general.name", $"random {name}");
        metadata.SetInt("llama.block_count", size.Layers);
        metadata.SetInt("llama.context_length", size.Context);
        metadata.SetInt("llama.embedding_length", size.Width);
        metadata.SetInt("llama.feed_forward_length", size.FeedForward);
        metadata.SetInt("llama.attention.head_count", size.Heads);
        metadata.SetInt("llama.attention.head_count_kv", size.KvHeads);
        metadata.SetInt("llama.rope.dimension_count", head);
        metadata.SetInt("llama.vocab_size", size.Vocabulary);
        metadata.SetFloat("llama.attention.layer_norm_rms_epsilon", 1e-5);
        metadata.SetFloat("llama.rope.freq_base", 10000);
        Vocabulary(metadata, size.Vocabulary);

        var weights = new List<NamedWeight>();
        void Matrix(string weight, long rows, long columns) =>
            weights.Add(new($"{weight}.weight", type, [rows, columns],
                stream => Fill(stream, type, rows * columns, weights.Count)));
        void Norm(string weight) => weights.Add(new($"{weight}.weight", WeightType.F32, [size.Width],
            stream => stream.Write(MemoryMarshal.AsBytes<float>(Enumerable.Repeat(1f, size.Width).ToArray()))));
        Matrix("token_embd", size.Vocabulary, size.Width);
        for (int layer = 0; layer < size.Layers; layer++)
        {
            string at = $"blk.{layer}.";
            Norm(at + "attn_norm");
            Matrix(at + "attn_q", size.Width, size.Width);
            Matrix(at + "attn_k", size.KvHeads * head, size.Width);
            Matrix(at + "attn_v", size.KvHeads * head, size.Width);
            Matrix(at + "attn_output", size.Width, size.Width);
            Norm(at + "ffn_norm");
            Matrix(at + "ffn_gate", size.FeedForward, size.Width);
            Matrix(at + "ffn_up", size.FeedForward, size.Width);
            Matrix(at + "ffn_down", size.Width, size.FeedForward);
        }
        Norm("output_norm");
        Matrix("output", size.Vocabulary, size.Width);
        Gguf.Write(path, metadata, weights);
    }

    // Bytes first, then words that no text holds: enough for any text, and for programs that want a whole vocabulary.
    static void Vocabulary(GgufMetadata metadata, int count)
    {
        string[] tokens = ["<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>"),
            .. Enumerable.Range(259, count - 259).Select(id => $"\u2581w{id}")];
        const int normal = 1, unknown = 2, control = 3, single = 6;
        metadata.SetText("tokenizer.ggml.model", "llama");
        metadata.SetTexts("tokenizer.ggml.tokens", tokens);
        metadata.SetFloats("tokenizer.ggml.scores", [.. Enumerable.Range(0, count).Select(id => id < 259 ? 0f : -id)]);
        metadata.SetInts("tokenizer.ggml.token_type",
            [.. Enumerable.Range(0, count).Select(id =>
                id == 0 ? unknown : id < 3 ? control : id < 259 ? single : (long)normal)]);
        metadata.SetInt("tokenizer.ggml.bos_token_id", 1);
        metadata.SetInt("tokenizer.ggml.eos_token_id", 2);
        metadata.SetInt("tokenizer.ggml.unknown_token_id", 0);
    }

    // Numbers of about the size that keeps the size of what goes through 2048 inputs.
    static void Fill(Stream stream, WeightType type, long elements, int seed)
    {
        var random = new Random(seed);
        int block = type.BlockElements, bytes = type.BlockBytes;
        int blocks = Piece / bytes;
        byte[] piece = new byte[blocks * bytes];
        for (long left = elements / block; left > 0; left -= blocks)
        {
            random.NextBytes(piece);
            if (type == WeightType.BF16)
                // 2^-7 to 2^-5.
                foreach (ref ushort bits in MemoryMarshal.Cast<byte, ushort>(piece.AsSpan()))
                    bits = (ushort)(bits & 0x80FF | 0x3C00);
            else
            {
                ushort scale = BitConverter.HalfToUInt16Bits((Half)(type == WeightType.Q8_0 ? 0.0003f : 0.0048f));
                for (int i = 0; i < blocks; i++) MemoryMarshal.Write(piece.AsSpan(i * bytes), in scale);
            }
            stream.Write(piece, 0, (int)Math.Min(left, blocks) * bytes);
        }
    }
}

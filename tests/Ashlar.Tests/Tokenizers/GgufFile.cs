using System.Text;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

/// <summary>The metadata of a GGUF file, read the short way: what the tests of vocabularies need.</summary>
static class GgufFile
{
    public static GgufVocabulary Vocabulary(string path)
    {
        var data = Read(path);
        T? Get<T>(string name) => data.TryGetValue("tokenizer." + name, out object? value) ? (T?)value : default;
        int? Id(string name) => data.TryGetValue($"tokenizer.ggml.{name}_token_id", out object? value) ? (int)(uint)value : null;
        bool? Flag(string name) => data.TryGetValue("tokenizer.ggml." + name, out object? value) ? (bool)value : null;
        return new()
        {
            Model = Encoding.UTF8.GetString(Get<byte[]>("ggml.model")!),
            Pre = Get<byte[]>("ggml.pre") is { } pre ? Encoding.UTF8.GetString(pre) : null,
            Tokens = [.. Get<object[]>("ggml.tokens")!.Cast<byte[]>()],
            Scores = Get<object[]>("ggml.scores") is { } scores ? [.. scores.Cast<float>()] : null,
            Types = Get<object[]>("ggml.token_type") is { } types ? [.. types.Cast<int>()] : null,
            Merges = Get<object[]>("ggml.merges") is { } merges ? [.. merges.Cast<byte[]>()] : null,
            Begin = Id("bos"),
            End = Id("eos"),
            Unknown = Id("unknown"),
            Separator = Id("seperator"),
            Padding = Id("padding"),
            AddBegin = Flag("add_bos_token"),
            AddEnd = Flag("add_eos_token"),
            ModelName = data.TryGetValue("general.name", out object? name) ? Encoding.UTF8.GetString((byte[])name) : null,
        };
    }

    static Dictionary<string, object> Read(string path)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        reader.ReadBytes(16);   // magic, version, tensors
        var data = new Dictionary<string, object>();
        for (ulong left = reader.ReadUInt64(); left > 0; left--)
        {
            string name = Encoding.UTF8.GetString(Text());
            data[name] = Value(reader.ReadUInt32());
        }
        return data;

        byte[] Text() => reader.ReadBytes((int)reader.ReadUInt64());

        object Value(uint type) => type switch
        {
            0 => reader.ReadByte(),
            4 => reader.ReadUInt32(),
            5 => reader.ReadInt32(),
            6 => reader.ReadSingle(),
            7 => reader.ReadBoolean(),
            8 => Text(),
            9 => Values(reader.ReadUInt32(), reader.ReadUInt64()),
            _ => throw new NotSupportedException($"type {type}"),
        };

        object[] Values(uint type, ulong count) => [.. Enumerable.Range(0, (int)count).Select(_ => Value(type))];
    }
}

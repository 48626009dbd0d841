using System.Text;
using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

/// <summary>Whatever is done to the bytes of a model file, opening it succeeds or says what is wrong, and takes no memory to
/// speak of.</summary>
public sealed class ModelFileFuzzTests : IDisposable
{
    const int Cases = 2000;

    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Gguf_SurvivesEveryMutation()
    {
        byte[] seed = new GgufBytes().Field("general.architecture", "llama").Field("n", 7u).Field("flag", 7, 1)
            .Texts("words", "a", "bc", "def")
            .Field("list", 9, [.. BitConverter.GetBytes(9), .. BitConverter.GetBytes(1L), .. BitConverter.GetBytes(5),
                .. BitConverter.GetBytes(1L), 1, 0, 0, 0])
            .Tensor("a", 0, [2, 2], new byte[16]).Tensor("b", 8, [32], new byte[34]).Build();
        Fuzz(seed, 1, path =>
        {
            using var file = Gguf.Open(path);
            foreach (string key in file.Metadata.Keys) ReadValue(file.Metadata, key);
            foreach (var entry in file.Entries) Touch(file, entry);
        });
    }

    [Fact]
    public void Safetensors_SurviveEveryMutation()
    {
        byte[] seed = SafetensorsFolderTests.FileOf(
            """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[16,20]}}""", new byte[20]);
        Fuzz(seed, 2, path =>
        {
            using var file = SafetensorsFolder.Open(path);
            foreach (var entry in file.Entries) Touch(file, entry);
        });
    }

    [Fact]
    public void Index_SurvivesEveryMutation()
    {
        folder.Write("m.safetensors",
            SafetensorsFolderTests.FileOf("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", [0]));
        Fuzz(Encoding.UTF8.GetBytes("""{"metadata":{"total_size":1},"weight_map":{"a":"m.safetensors"}}"""), 3,
            path => WeightFile.Open(path).Dispose(), ".index.json");
    }

    void Fuzz(byte[] seed, int number, Action<string> open, string extension = "")
    {
        var random = new Random(number);
        open(folder.Write("fuzz" + extension, seed));
        long before = GC.GetAllocatedBytesForCurrentThread();
        int refused = 0;
        for (int i = 0; i < Cases; i++)
        {
            byte[] bytes = Mutate(seed, random);
            string path = folder.Write("fuzz" + extension, bytes);
            try
            {
                open(path);
            }
            catch (ModelFileException)
            {
                refused++;
            }
            catch (Exception error)
            {
                Assert.Fail($"case {i}: {error}\n{Convert.ToBase64String(bytes)}");
            }
        }
        Assert.InRange(refused, Cases / 3, Cases);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Cases * 200_000L);
    }

    static byte[] Mutate(byte[] seed, Random random)
    {
        var bytes = new List<byte>(seed);
        for (int change = random.Next(1, 4); change > 0; change--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.InsertRange(at, Enumerable.Range(0, random.Next(1, 9)).Select(_ => (byte)random.Next(256))); break;
                case 3: bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at)); break;
                case 4 when bytes.Count > 1: bytes.RemoveRange(at, bytes.Count - at); break;
                default:   // a number that lies: all bits, or a high one
                    for (int i = at; i < Math.Min(at + 8, bytes.Count); i++)
                        bytes[i] = random.Next(2) == 0 ? (byte)0xff : (byte)(i == at + 7 ? 0x40 : 0);
                    break;
            }
            if (bytes.Count == 0) bytes.Add(0);
        }
        return [.. bytes];
    }

    static void Touch(WeightFile file, WeightEntry entry)
    {
        long sum = 0;
        foreach (byte one in file.Bytes(entry).Span) sum += one;
        Assert.True(sum >= 0);
    }

    static void ReadValue(GgufMetadata metadata, string key)
    {
        switch (metadata.TypeOf(key))
        {
            case GgufValueType.Text: metadata.Text(key); break;
            case GgufValueType.List when metadata.ListOf(key).Type == GgufValueType.Text:
                _ = metadata.Texts(key).ToArray();
                break;
            case GgufValueType.List when metadata.ListOf(key).Type == GgufValueType.Bool: metadata.Bools(key); break;
            case GgufValueType.List when metadata.ListOf(key).Type == GgufValueType.List: break;
            case GgufValueType.List: metadata.Floats(key); break;
            case GgufValueType.Bool: metadata.Bool(key); break;
            default: metadata.Float(key); break;
        }
    }
}

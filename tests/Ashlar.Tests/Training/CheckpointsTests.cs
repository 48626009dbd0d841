using System.Text.Json.Nodes;
using Ashlar.Formats;
using Ashlar.Runtime;
using Ashlar.Tests.Formats;
using Ashlar.Training;

namespace Ashlar.Tests.Training;

public sealed class CheckpointsTests : IDisposable
{
    readonly TemporaryFolder folder = new();
    readonly State weight = new("w", Tensor.From<float>([1, float.NaN, -0f, 4], [2, 2]));
    readonly State count = new("count", Tensor.From<int>([7], []));

    readonly Device.Selection device = new Device(new ReferenceBackend()).Select();

    public void Dispose()
    {
        device.Dispose();
        folder.Dispose();
    }

    Checkpoints Here(int keep = 2) => new(folder.Path, keep);

    string Save(long step, Checkpoints? to = null) => (to ?? Here()).Save(step, [weight], [count], new JsonObject
    {
        ["seed"] = 5,
    });

    string[] Files() => [.. Directory.EnumerateFiles(folder.Path).Select(path => Path.GetFileName(path)!).Order()];

    [Theory]
    [InlineData("another", "1", "ASH0420")]
    [InlineData("ashlar.checkpoint", "1", "ASH0420")]   // and no step
    [InlineData("ashlar.checkpoint", "99", "ASH0422")]
    public void Checkpoint_IsRefused_WhenItIsNone(string key, string value, string code)
    {
        string path = Path.Combine(folder.Path, "other.safetensors");
        Safetensors.Write(path, [], new Dictionary<string, string> { [key] = value });
        var error = Assert.ThrowsAny<AshlarException>(() => Ashlar.Training.Checkpoint.Open(path));
        Assert.Equal(code, error.Code);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Checkpoint_ComesBackBitForBit()
    {
        Save(12);
        int[] before = Bits(weight);
        weight.Value = Tensor.Zeros(2, 2);
        count.Value = Tensor.From<int>([0], []);
        using var latest = Here().Latest()!;
        latest.Restore([weight], [count]);
        Assert.Equal(12, latest.Step);
        Assert.Equal(5, (int)latest.Facts["seed"]!);
        Assert.Equal(before, Bits(weight));
        Assert.Equal(7, count.Value.Item<int>());

        static int[] Bits(State state) => [.. state.Value.ToArray<float>().Select(BitConverter.SingleToInt32Bits)];
    }

    [Fact]
    public void Latest_IsNone_WhereThereIsNoFolder() => Assert.Null(new Checkpoints(Path.Combine(folder.Path, "none")).Latest());

    [Fact]
    public void Save_KeepsTheLatest_AndClearsWhatAKilledProcessLeft()
    {
        File.WriteAllText(Path.Combine(folder.Path, ".step-00000001.safetensors.tmp"), "half");
        foreach (long step in (long[])[10, 20, 30]) Save(step);
        Assert.Equal(["step-00000020.safetensors", "step-00000030.safetensors"], Files());
    }

    [Fact]
    public void Latest_SkipsAFileCutShort_AndSaysSo()
    {
        Save(10);
        string cut = Save(20);
        using (var file = new FileStream(cut, FileMode.Open)) file.SetLength(file.Length - 3);
        var told = new List<string>();
        using var latest = Here().Latest(told.Add)!;
        Assert.Equal(10, latest.Step);
        Assert.Contains("step-00000020", Assert.Single(told), StringComparison.Ordinal);
    }

    [Fact]
    public void Latest_Fails_WhereNothingCanBeRead()
    {
        File.WriteAllText(Path.Combine(folder.Path, "step-00000001.safetensors"), "");
        Assert.Throws<ModelFileException>(() => Here().Latest());
    }

    [Fact]
    public void FullDisk_LeavesTheCheckpointBefore()
    {
        Save(10);
        var full = new Checkpoints(folder.Path, 2,
            (path, write) => AtomicFile.Write(path, stream => { write(new FullAfter(stream, 100)); }));
        var error = Assert.Throws<ModelFileException>(() => Save(20, full));
        Assert.Contains("No space left", error.Message, StringComparison.Ordinal);
        Assert.Equal(["step-00000010.safetensors"], Files());
        using var latest = Here().Latest()!;
        latest.Restore([weight], [count]);
    }

    [Fact]
    public void Restore_NamesWhatDiffers_AndChangesNothing()
    {
        Save(10);
        using var latest = Here().Latest()!;
        State wide = new("w", Tensor.Ones(3, 2)), other = new("rate", Tensor.Ones(1));
        var error = Assert.Throws<TrainingException>(() => latest.Restore([wide], [other]));
        Assert.Contains("model.w is f32[2, 2] there, f32[3, 2] here", error.Message, StringComparison.Ordinal);
        Assert.Contains("it has no optimizer.rate", error.Message, StringComparison.Ordinal);
        Assert.Contains("optimizer.count is unknown here", error.Message, StringComparison.Ordinal);
        Assert.Equal(6, wide.Value.Sum().Item<float>());
    }

    [Fact]
    public void AnotherVersion_IsAnError()
    {
        Safetensors.Write(Path.Combine(folder.Path, "step-00000003.safetensors"), [],
            new Dictionary<string, string> { ["ashlar.checkpoint"] = "9" });
        Assert.Contains("version 9", Assert.Throws<TrainingException>(() => Here().Latest()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryElementType_ComesBack()
    {
        State[] states =
        [
            new("f64", Tensor.From<double>([1.5, -2])), new("f16", Tensor.From<Half>([(Half)1.5, (Half)(-2)])),
            new("bf16", Tensor.From<BFloat16>([(BFloat16)1.5f, (BFloat16)(-2f)])),
            new("i8", Tensor.From<sbyte>([1, -2])), new("i16", Tensor.From<short>([1, -2])),
            new("i64", Tensor.From<long>([1, -2])),
            new("u8", Tensor.From<byte>([1, 254])), new("bool", Tensor.From<bool>([true, false])),
        ];
        double[][] before = [.. states.Select(Numbers)];
        Here().Save(1, states, [], []);
        foreach (var state in states) state.Value = state.Value.ZerosLike();
        using var latest = Here().Latest()!;
        latest.Restore(states, []);
        Assert.Equal(before, states.Select(Numbers));

        static double[] Numbers(State state) => state.Value.Cast(DType.Float64).ToArray<double>();
    }

    /// <summary>A disk with room for some bytes.</summary>
    sealed class FullAfter(Stream inner, long room) : Stream
    {
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => inner.Length;
        public override long Position { get => inner.Position; set => throw new NotSupportedException(); }
        public override void Flush() => inner.Flush();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (inner.Position + buffer.Length > room) throw new IOException("No space left on device");
            inner.Write(buffer);
        }
    }
}

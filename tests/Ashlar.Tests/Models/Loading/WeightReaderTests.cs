using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models.Loading;

public sealed class WeightReaderTests
{
    const int Inputs = 8;

    [Fact]
    public void Projection_KeepsEachMatrixAsItsFileHasIt_WhenTypesDiffer()
    {
        using var folder = new TemporaryFolder();
        float[] exact = [.. Enumerable.Range(0, 3 * Inputs).Select(i => 1f + i / 4096f)];   // more digits than bfloat16 has
        using var file = Write(folder, Rounded("a", 2), Exact("b", exact), Rounded("c", 2));
        var reader = new WeightReader(file);
        var projection = reader.Projection(Inputs, [("a", 2), ("b", 3), ("c", 2)]);
        reader.Finish();

        Assert.Equal("bf16+f32", projection.Encoding);
        using var selected = Devices.Reference.Select();
        float[] y = projection.Apply(Tensor.From<float>([1, 0, 0, 0, 0, 0, 0, 0], [1, Inputs])).ToArray<float>();
        Assert.Equal([1, 1, exact[0], exact[Inputs], exact[2 * Inputs], 1, 1], y);
    }

    [Fact]
    public void Experts_AreRefused_WhenTheirTypesDiffer()
    {
        using var folder = new TemporaryFolder();
        using var file = Write(folder, Rounded("up", 2), Exact("gate", new float[2 * Inputs]));
        var error = Assert.Throws<ModelException>(() => new WeightReader(file).Experts(Inputs, [[("gate", 2L), ("up", 2L)]]));
        Assert.Equal("ASH0366", error.Code);
        Assert.Contains("'up'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void Weights_AreRefused_WhenTheyAreNotFinite(float number)
    {
        using var folder = new TemporaryFolder();
        float[] numbers = new float[2 * Inputs];
        numbers[9] = number;
        using var file = Write(folder, Exact("w", numbers));
        Assert.Equal("ASH0352", Assert.Throws<ModelException>(() => new WeightReader(file).Dense("w", 2, Inputs)).Code);
        Assert.Equal("ASH0352", Assert.Throws<ModelException>(() => new WeightReader(file).Projection(Inputs, [("w", 2)])).Code);
        Assert.Equal("ASH0352", Assert.Throws<ModelException>(() => new WeightReader(file).Experts(Inputs, [[("w", 2L)]])).Code);
    }

    [Fact]
    public void Weight_IsRefusedWithNamesAlike_WhenItIsNotThere()
    {
        using var folder = new TemporaryFolder();
        using var file = Write(folder, Exact("layers.0.norm", new float[Inputs]), Exact("other", new float[Inputs]));
        var error = Assert.Throws<ModelException>(() => new WeightReader(file).Dense("layer.0.norm", Inputs));
        Assert.Equal("ASH0341", error.Code);
        Assert.Contains("'layers.0.norm', 'other'", error.Message, StringComparison.Ordinal);
    }

    static WeightFile Write(TemporaryFolder folder, params NamedArray[] arrays)
    {
        string path = folder.File("model.safetensors");
        Safetensors.Write(path, arrays);
        return WeightFile.Open(path);
    }

    static NamedArray Exact(string name, float[] numbers) =>
        NamedArray.Of<float>(name, numbers.Length == Inputs ? [Inputs] : [numbers.Length / Inputs, Inputs], numbers);

    static NamedArray Rounded(string name, int rows) =>
        NamedArray.Of<BFloat16>(name, [rows, Inputs], Enumerable.Repeat((BFloat16)1f, rows * Inputs).ToArray());
}

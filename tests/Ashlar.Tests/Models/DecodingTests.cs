using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models;

public sealed class DecodingTests() : DeviceTests(Devices.Reference)
{
    static readonly GptConfig config = new() { Vocabulary = 11, Layers = 2, Width = 8, Heads = 2, Context = 8 };

    static Gpt Model()
    {
        var weights = Weights.Random(3);
        var model = new Gpt(weights, config);
        foreach (var parameter in weights.Parameters) parameter.Value *= 8;   // at the beginning all logits are nearly equal
        return model;
    }

    // Without a cache, over the same window.
    static List<int> Greedy(Gpt model, int[] prompt, int count)
    {
        List<int> text = [.. prompt], made = [];
        for (int i = 0; i < count; i++)
        {
            if (text.Count > config.Context) text.RemoveRange(0, text.Count - config.Context / 2);
            made.Add(model.Forward(Tensor.From<int>(text.ToArray(), [1, text.Count]))[0, ^1].ArgMax().Item<int>());
            text.Add(made[^1]);
        }
        return made;
    }

    [Fact]
    public void Generate_EqualsTheWholeForward_BeyondTheContextToo()
    {
        var model = Model();
        int[] prompt = [3, 1, 4];
        var decoding = new Decoding(model);
        var expected = Greedy(model, prompt, 14);
        Assert.True(expected.Distinct().Count() > 1);
        Assert.Equal(expected, decoding.Generate(prompt, 14, new(Temperature: 0)));
        Assert.Equal(expected, decoding.Generate(prompt, 14, new(Temperature: 0)));   // the cache is used again
    }

    [Fact]
    public void Generate_RepeatsItself_WhenSeedsAreEqual()
    {
        var decoding = new Decoding(Model());
        int[] Text(int seed) => [.. decoding.Generate(new[] { 1, 2 }, 12, new(Temperature: 3), seed)];
        Assert.Equal(Text(1), Text(1));
        Assert.NotEqual(Text(1), Text(2));
    }

    [Fact]
    public void Generate_ReadsTheEnd_WhenThePromptIsLongerThanTheContext()
    {
        var decoding = new Decoding(Model());
        int[] prompt = [9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8];
        Assert.Equal(decoding.Generate(prompt.AsMemory(4), 5, new(Temperature: 0)),
            decoding.Generate(prompt, 5, new(Temperature: 0)));
    }

    [Fact]
    public void Generate_EndsAfterTheLastToken()
    {
        var decoding = new Decoding(Model());
        int[] all = [.. decoding.Generate(new[] { 1 }, 20, new(Temperature: 2), seed: 4)];
        int stop = all[5];
        int[] cut = [.. decoding.Generate(new[] { 1 }, 20, new(Temperature: 2), seed: 4, token => token == stop)];
        Assert.Equal(all[..(Array.IndexOf(all, stop) + 1)], cut);
    }

    [Fact]
    public void Generate_Refuses_AnEmptyPrompt() =>
        Assert.Throws<ArgumentException>(() => new Decoding(Model()).Generate(Array.Empty<int>(), 3, new()));
}

using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.Runtime;
using Ashlar.Serving;
using Ashlar.Tests.Models.Reference;

namespace Ashlar.Tests.Models.Families;

/// <summary>Runs small models of a family and compares every logit with the plain model of the tests.</summary>
static class FamilyRun
{
    /// <summary>Fails unless the model in a folder gives the logits of its reference: at once, in two pieces, and token by
    /// token.</summary>
    /// <param name="folder">A checkpoint.</param>
    /// <param name="reference">Where its config and weights are; null: in the same folder.</param>
    /// <param name="tolerance">As a share of the greatest logit of a token.</param>
    public static void AssertLikeReference(string folder, string? reference = null, double tolerance = 2e-4)
    {
        using var selected = new Device(new CpuBackend()).Select();
        using var model = ModelFamily.Load(folder);
        var (config, weights) = ReferenceModel.Load(reference ?? folder);
        var random = new Random(11);
        int[] tokens =
            [.. Enumerable.Range(0, Math.Min(45, model.Config.Context)).Select(_ => random.Next(model.Config.Vocabulary))];
        double[][] expected = ReferenceModel.Logits(config, weights, tokens);
        using var engine = new Engine(model, new(DType.Float32, Context: 64, MostTexts: 2, Chunk: 64));

        using (var atOnce = engine.NewText(tokens.Length))
            Compare(tolerance, expected, 0, engine.ReadAll(atOnce, tokens), "at once");
        using (var pieces = engine.NewText(tokens.Length))
        {
            Compare(tolerance, expected, 0, engine.ReadAll(pieces, tokens.AsSpan(0, 19)), "the first piece");
            Compare(tolerance, expected, 19, engine.ReadAll(pieces, tokens.AsSpan(19)), "the second piece");
        }
        using var single = engine.NewText(tokens.Length);
        for (int i = 0; i < tokens.Length; i++)
            Compare(tolerance, expected, i, engine.ReadAll(single, tokens.AsSpan(i, 1)), "token by token");
    }

    static void Compare(double tolerance, double[][] expected, int first, float[] actual, string how)
    {
        int vocabulary = expected[0].Length;
        for (int t = 0; t < actual.Length / vocabulary; t++)
        {
            double size = expected[first + t].Max(Math.Abs);
            for (int v = 0; v < vocabulary; v++)
                Assert.True(Math.Abs(expected[first + t][v] - actual[t * vocabulary + v]) <= tolerance * size,
                    $"{how}: logit {v} of token {first + t} should be {expected[first + t][v]}, but is {actual[t * vocabulary + v]}");
        }
    }
}

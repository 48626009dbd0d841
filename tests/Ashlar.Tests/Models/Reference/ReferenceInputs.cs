using System.Text.Json;

namespace Ashlar.Tests.Models.Reference;

/// <summary>A parsed config.json, or an object within one. A key that is null counts as absent.</summary>
readonly record struct ReferenceConfig(JsonElement Root)
{
    public bool Has(string key) => Root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null;

    public int Integer(string key) => Root.GetProperty(key).GetInt32();

    public int Integer(string key, int otherwise) => Has(key) ? Integer(key) : otherwise;

    public int? IntegerOrNone(string key) => Has(key) ? Integer(key) : null;

    public double Number(string key) => Root.GetProperty(key).GetDouble();

    public double Number(string key, double otherwise) => Has(key) ? Number(key) : otherwise;

    public double? NumberOrNone(string key) => Has(key) ? Number(key) : null;

    public bool Flag(string key, bool otherwise) => Has(key) ? Root.GetProperty(key).GetBoolean() : otherwise;

    public string Text(string key, string otherwise) => Has(key) ? Root.GetProperty(key).GetString()! : otherwise;

    public double[] Numbers(string key) => [.. Root.GetProperty(key).EnumerateArray().Select(value => value.GetDouble())];

    public string[] Texts(string key) => [.. Root.GetProperty(key).EnumerateArray().Select(value => value.GetString()!)];

    public ReferenceConfig? Part(string key) => Has(key) ? new(Root.GetProperty(key)) : null;
}

/// <summary>The weights of a checkpoint by their Hugging Face names; knows which were read.</summary>
sealed class ReferenceWeights(IReadOnlyDictionary<string, (int[] Shape, float[] Data)> tensors)
{
    public HashSet<string> Read { get; } = [];

    public bool Has(string name) => tensors.ContainsKey(name);

    public (int[] Shape, float[] Data) Tensor(string name)
    {
        Read.Add(name);
        return tensors.TryGetValue(name, out var tensor) ? tensor : throw new KeyNotFoundException($"no tensor '{name}'");
    }

    public double[] Vector(string name)
    {
        var (shape, data) = Tensor(name);
        Assert.Single(shape);
        return [.. data.Select(value => (double)value)];
    }

    /// <summary>A row of a table: the embedding of a token.</summary>
    public double[] Row(string name, int index)
    {
        var (shape, data) = Tensor(name);
        return [.. data.AsSpan(index * shape[1], shape[1]).ToArray().Select(value => (double)value)];
    }

    public double[][] Embed(string name, ReadOnlySpan<int> tokens)
    {
        var rows = new double[tokens.Length][];
        for (int t = 0; t < tokens.Length; t++) rows[t] = Row(name, tokens[t]);
        return rows;
    }

    /// <summary>A linear layer as PyTorch has it: <c>NAME.weight</c> is [outputs, inputs], <c>NAME.bias</c> [outputs].</summary>
    public double[] Linear(double[] x, string name, bool bias = false)
    {
        var (shape, data) = Tensor(name + ".weight");
        Assert.Equal(2, shape.Length);
        Assert.Equal(x.Length, shape[1]);
        var y = new double[shape[0]];
        for (int o = 0; o < y.Length; o++)
        {
            double sum = 0;
            for (int i = 0; i < x.Length; i++) sum += data[o * x.Length + i] * x[i];
            y[o] = sum;
        }
        return bias ? ReferenceMath.Plus(y, Vector(name + ".bias")) : y;
    }

    public double[][] Linear(double[][] x, string name, bool bias = false) => [.. x.Select(row => Linear(row, name, bias))];

    public double[][] RmsNorm(double[][] x, string name, double epsilon, bool onePlus = false)
    {
        double[] weight = Vector(name + ".weight");
        return [.. x.Select(row => ReferenceMath.RmsNorm(row, weight, epsilon, onePlus))];
    }

    public double[][] LayerNorm(double[][] x, string name, double epsilon)
    {
        double[] weight = Vector(name + ".weight"), bias = Vector(name + ".bias");
        return [.. x.Select(row => ReferenceMath.LayerNorm(row, weight, bias, epsilon))];
    }

    /// <summary>Normalises each head of each row alone, all with the same weight.</summary>
    public double[][] RmsNormHeads(double[][] x, string name, int heads, double epsilon, bool onePlus = false)
    {
        double[] weight = Vector(name + ".weight");
        return [.. x.Select(row => (double[])[.. row.Chunk(row.Length / heads)
            .SelectMany(head => ReferenceMath.RmsNorm(head, weight, epsilon, onePlus))])];
    }

    /// <summary>SwiGLU and its like: <c>down(activation(gate(x)) * up(x))</c>; Shazeer 2020, arXiv:2002.05202.</summary>
    public double[] GatedMlp(double[] x, string gate, string up, string down, Func<double, double> activation, bool bias = false)
    {
        double[] gates = Linear(x, gate, bias), ups = Linear(x, up, bias);
        return Linear([.. gates.Select((value, i) => activation(value) * ups[i])], down, bias);
    }

    public double[][] GatedMlp(double[][] x, string name, Func<double, double> activation, bool bias = false) =>
        [.. x.Select(row => GatedMlp(row, $"{name}.gate_proj", $"{name}.up_proj", $"{name}.down_proj", activation, bias))];

    /// <summary>The head: <c>lm_head</c>, or the embedding where the two are tied.</summary>
    public double[][] Head(double[][] x, bool tied, string table = "model.embed_tokens") => Linear(x, tied ? table : "lm_head");
}

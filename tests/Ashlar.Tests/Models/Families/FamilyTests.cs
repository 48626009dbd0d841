using Ashlar.Models;
using Ashlar.Tests.Models.Reference;

namespace Ashlar.Tests.Models.Families;

public sealed class FamilyTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("ashlar-family-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("llama2"), InlineData("llama3.1"), InlineData("llama-biases"), InlineData("smollm2")]
    [InlineData("mistral-v0.1"), InlineData("mistral-nemo"), InlineData("mixtral")]
    [InlineData("qwen2.5"), InlineData("qwen2.5-yarn"), InlineData("qwen2-sliding"), InlineData("qwen2-moe")]
    [InlineData("qwen3"), InlineData("qwen3-moe"), InlineData("qwen3-moe-all")]
    public void Family_GivesTheLogitsOfItsReference_FromACheckpoint(string name) =>
        FamilyRun.AssertLikeReference(TinyModels.Make(name).Write(folder));

    [Fact]
    public void Family_NamesTheKey_WhenItDoesNotKnowIt()
    {
        var model = TinyModels.Make("llama2");
        model.Config["attn_temperature_tuning"] = 4;
        Assert.Contains("attn_temperature_tuning", Assert.Throws<ModelFileException>(() => ModelFamily.Load(model.Write(folder))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Family_NamesTheWeight_WhenItIsMissing()
    {
        var model = TinyModels.Make("llama2");
        model.Weights.Remove("model.layers.1.mlp.up_proj.weight");
        Assert.Contains("'model.layers.1.mlp.up_proj.weight'", Assert.Throws<ModelException>(() => ModelFamily.Load(model.Write(folder))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Family_NamesTheWeight_WhenItIsLeftOver()
    {
        var model = TinyModels.Make("llama2");
        model.Linear("model.layers.1.mlp.side_proj", 8, 8);
        Assert.Contains("'model.layers.1.mlp.side_proj.weight'", Assert.Throws<ModelException>(() => ModelFamily.Load(model.Write(folder))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Family_NamesTheArchitecture_WhenItIsUnknown()
    {
        var model = TinyModels.Make("llama2");
        model.Config["model_type"] = "mamba";
        Assert.Contains("'mamba'", Assert.Throws<ModelException>(() => ModelFamily.Load(model.Write(folder))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Family_RefusesWeights_WhenTheyAreNotFinite()
    {
        var model = TinyModels.Make("llama2");
        model.Weights["model.norm.weight"].Data[3] = float.NaN;
        Assert.Contains("model.norm.weight", Assert.Throws<ModelException>(() => ModelFamily.Load(model.Write(folder))).Message, StringComparison.Ordinal);
    }
}

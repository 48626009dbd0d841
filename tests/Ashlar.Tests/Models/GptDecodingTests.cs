using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Runtime;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models;

public sealed class GptDecodingTests() : DeviceTests(Devices.Reference)
{
    static readonly GptConfig nano = GptTests.Small;
    static readonly GptConfig grouped = nano.Modern() with { Heads = 4, KvHeads = 2, HiddenWidth = 24 };
    static readonly int[] text = [3, 1, 4, 1, 5, 9, 2, 6];

    [Theory]
    [InlineData("reference", false)]
    [InlineData("reference", true)]
    [InlineData("cpu", false)]
    [InlineData("cpu", true)]
    public void Steps_GiveTheLogitsOfTheWholeText(string backend, bool modern)
    {
        using var selected = new Device(backend == "cpu" ? new CpuBackend() : new ReferenceBackend()).Select();
        var config = (modern ? grouped : nano) with { Layers = backend == "cpu" ? 1 : 2 };
        var weights = Weights.Random(1);
        var model = new Gpt(weights, config);
        foreach (var parameter in weights.Parameters) parameter.Value *= 5;   // at the beginning all logits are nearly equal
        var expected = model.Forward(Tensor.From([.. text, .. text.Reverse()], [2, 8])).Detach();
        var cache = model.NewCache(batch: 2);
        var prefill = Compiled.Step((Tensor tokens, Tensor position) => model.Forward(tokens, cache, position));
        int recorded = 0;
        var step = Compiled.Step((Tensor tokens, Tensor position) =>
        {
            recorded++;
            return model.NextLogits(tokens, cache, position);
        });

        for (int round = 0; round < 2; round++)   // the second time over what the first left behind
        {
            Close(prefill(Rows(0, 5), Tensor.Of(0)), expected[.., ..5], 1e-4);
            for (int at = 5; at < 8; at++) Close(step(Rows(at, 1), Tensor.Of(at)), expected[.., at], 1e-4);
        }
        Assert.Equal(1, recorded);   // one program for all places

        static Tensor Rows(int start, int count) =>
            Tensor.From([.. text[start..(start + count)], .. text.Reverse().Skip(start).Take(count)], [2, count]);
    }

    [Fact]
    public void Prefill_TakesPromptsOfEveryLength_WithOneRecording()
    {
        var model = new Gpt(Weights.Random(1), grouped);
        var cache = model.NewCache();
        var prompt = new Symbol("T", 1, 8);
        int recorded = 0;
        var prefill = Compiled.Step((Tensor tokens, Tensor position) =>
        {
            recorded++;
            return model.NextLogits(tokens, cache, position);
        }, [1, prompt], []);
        foreach (int length in (int[])[1, 3, 8])
        {
            var tokens = Tensor.From<int>(text.AsSpan(0, length), [1, length]);
            Close(prefill(tokens, Tensor.Of(0)), model.Forward(tokens)[.., ^1], 1e-5);
        }
        Assert.Equal(1, recorded);
    }

    [Fact]
    public void Decoding_Refuses_WhatDoesNotFit()
    {
        var model = new Gpt(Weights.Random(1), nano);
        var cache = model.NewCache(capacity: 4);
        Tensor Run(int count, int at, KvCache cache) =>
            model.Forward(Tensor.From<int>(text.AsSpan(0, count), [1, count]), cache, Tensor.Of(at)).Realize();
        Fails<ModelException>(() => Run(5, 0, cache), "ASH0347", "5 tokens", "cache of 4");
        Fails<ModelException>(() => model.NewCache(capacity: 9), "ASH0347", "9 tokens", "context of 8");
        Fails<ModelException>(() => Run(1, 0, model.NewCache(batch: 2)), "ASH0347", "[2, 8, 2, 8]");
        Fails<ModelException>(() =>
            Run(1, 0, new Gpt(Weights.Random(1), nano with { Layers = 1 }).NewCache()), "ASH0347", "1 layers");
        Fails<KernelException>(() => Run(1, 4, cache), "ASH0510");
        Fails<ModelException>(() => new KvCache(1, 0, 4, 1, 1), "ASH0345", "0 texts");
    }
}

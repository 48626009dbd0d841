using Ashlar.Compiler;
using Ashlar.Compiler.Planning;
using Ashlar.Graph;

namespace Ashlar.Tests.Compiler;

public class CheckpointMemoryTests
{
    const int Layers = 12, Tokens = 96, Width = 64;

    [Fact]
    public void Peak_Falls_WhenLayersAreCheckpointed()
    {
        long plain = Peak(checkpointed: false), saved = Peak(checkpointed: true);
        // Kept: one input per layer, and what one layer needs while its gradient is computed.
        long inputs = Layers * Tokens * Width * sizeof(float);
        Assert.True(saved < 0.55 * plain, $"{saved} bytes with checkpoints, {plain} without");
        Assert.True(saved > inputs, "the inputs of the layers must be kept");
    }

    static long Peak(bool checkpointed)
    {
        var parameters = new List<Node> { Programs.P(0, Tokens, Width) };
        var h = parameters[0];
        for (int layer = 0; layer < Layers; layer++)
        {
            Node up = Programs.P(parameters.Count, Width, 4 * Width), down = Programs.P(parameters.Count + 1, 4 * Width, Width);
            parameters.AddRange(up, down);
            var y = h + Nodes.MatMul(Nodes.Gelu(Nodes.MatMul(h, up)), down);
            h = checkpointed ? Checkpoint.Of(y, [h]) : y;
        }
        var loss = Nodes.Sum(h * h, 0, 1);
        var function = Programs.F([.. parameters], [loss, .. Gradients.Of([loss], [loss.Like(1)], [.. parameters.Skip(1)])]);
        // Results apart: they are the same.
        return MemoryPlan.Of(Pipelines.Compile(function, OptimizationLevel.O2), _ => 0).ArenaBytes;
    }
}

using System.Diagnostics.CodeAnalysis;

namespace Ashlar.NN;

/// <summary>Checks of what layers are given.</summary>
static class Widths
{
    /// <summary>Fails where the last axis has not the width that a layer was made for.</summary>
    public static void ThrowUnlessLastAxisIs(long width, Tensor x, string layer)
    {
        if (x.Rank == 0 || x.Shape[^1] != width) Throw(width, x, layer);

        [DoesNotReturn]
        static void Throw(long width, Tensor x, string layer) => throw new ModelException("ASH0346",
            $"the layer '{layer}' needs a last axis of {width}, but got {x.Type}.",
            x.Rank > 1 && x.Shape[^2] == width ? "transpose the last two axes."
                : "check the layer's width against what comes before it.");
    }

    /// <summary>Fails where the axes are not [N, C, ...] with the channels that a layer was made for.</summary>
    public static void ThrowUnlessChannelsAre(int channels, Tensor x, string layer, bool hasRightAxes)
    {
        if (!hasRightAxes || x.Shape[1] != channels) Throw(channels, x, layer);

        [DoesNotReturn]
        static void Throw(int channels, Tensor x, string layer) => throw new ModelException("ASH0346",
            $"the layer '{layer}' needs {channels} channels on axis 1, but got {x.Type}.",
            x.Rank > 0 && x.Shape[0] == channels ? "add the batch axis by Unsqueeze(0)."
                : "check the layer's channels against what comes before it.");
    }

    /// <summary>Fails where a config has no meaning.</summary>
    public static void ThrowIf([DoesNotReturnIf(true)] bool wrong, string problem, string fix)
    {
        if (wrong) throw new ModelException("ASH0345", problem, fix);
    }
}

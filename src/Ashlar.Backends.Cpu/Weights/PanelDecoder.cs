using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Decodes panels of packed weights into the order of tiles.</summary>
sealed unsafe class PanelDecoder
{
    readonly WeightEncoding encoding;
    readonly ExecutableMemory kernel;
    readonly nint table;

    /// <param name="encoding">Any but bfloat16, which needs no decoding.</param>
    public PanelDecoder(WeightEncoding encoding)
    {
        (this.encoding, kernel) = (encoding, TileDecoding.Get(encoding));
        table = RowWeightProduct.TableOf(encoding);
    }

    /// <summary>The layout of a matrix [columns, inner].</summary>
    public WeightLayout LayoutOf(long columns, long inner) => new(encoding, columns, inner);

    /// <summary>Decodes an inner block of a panel, and fetches another meanwhile.</summary>
    /// <param name="layout">Of the matrix.</param>
    /// <param name="matrix">Its first byte.</param>
    /// <param name="panel">Which 32 outputs.</param>
    /// <param name="step">The first step, which begins an inner block.</param>
    /// <param name="nextPanel">The panel that is fetched.</param>
    /// <param name="nextStep">Its first step, which begins an inner block.</param>
    /// <param name="to">Tiles, aligned to 64.</param>
    public void Decode(in WeightLayout layout, byte* matrix, long panel, long step, long nextPanel, long nextStep, byte* to)
    {
        long next = Math.Min(layout.BlockSteps, layout.Steps - nextStep) * layout.StepBytes;
        var arguments = new DecodeArguments
        {
            From = (long)(matrix + layout.Offset(panel, step)),
            To = (long)to,
            Steps = Math.Min(layout.BlockSteps, layout.Steps - step),
            Masks = TileDecoding.MasksAddress,
            Table = table,
            Ahead = (long)(matrix + layout.Offset(nextPanel, nextStep)),
            AheadStride = (next / 4 + 63) / 64 * 64,
        };
        ((delegate* unmanaged<DecodeArguments*, void>)kernel.Entry)(&arguments);
    }
}

using Ashlar.Backends.Cpu.Contractions;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>The packed form of a right operand, such as weights that many products use: tiles in the order in which they are loaded.</summary>
/// <remarks>
/// Panels of 32 columns, one after the other; of each, steps of 64 bytes of inner indices; of each step two tiles of 16 columns. A tile holds
/// 16 rows, one per group of inner indices (two bfloat16 or four bytes), of 16 columns. Ragged edges are zero.
/// </remarks>
static unsafe class PackedOperand
{
    /// <summary>Bytes of the packed form of [inner, columns].</summary>
    public static long Bytes(TileProduct product, long inner, long columns) =>
        MatrixBlocking.Over(columns, Tiles.PanelSide) * Tiles.Steps(inner, product.ElementBytes) * Tiles.StepBytes;

    /// <summary>Packs a matrix.</summary>
    /// <param name="product">Which product it is the right operand of.</param>
    /// <param name="matrix">[inner, columns], of the product's type, or float32 for a product of bfloat16.</param>
    /// <param name="to"><see cref="Bytes"/> bytes, aligned to 64.</param>
    /// <param name="workers">Who may help.</param>
    public static void Pack(TileProduct product, MatrixView matrix, long inner, long columns, byte* to, Workers workers)
    {
        long steps = Tiles.Steps(inner, product.ElementBytes), panels = MatrixBlocking.Over(columns, Tiles.PanelSide);
        const long block = 64;
        long elements = block * Tiles.RowBytes / product.ElementBytes;
        workers.Run((worker, count) =>
        {
            var (first, end) = EvenRange.Of(panels, worker, count);
            byte[] staging = GC.AllocateUninitializedArray<byte>((int)TilePacking.StagingBytes(block), pinned: true);
            fixed (byte* stage = staging)
                for (long panel = first; panel < end; panel++)
                    for (long step = 0; step < steps; step += block)
                    {
                        long column = panel * Tiles.PanelSide, inner0 = step / block * elements;
                        var source = new PanelSource(matrix.Data, matrix.DType, matrix.ColumnStride, matrix.RowStride).At(column, inner0);
                        TilePacking.Pack(source, Math.Min(Tiles.PanelSide, columns - column), Math.Min(elements, inner - inner0), Math.Min(block, steps - step), 2,
                            isLeft: false, product.ElementBytes, stage, to + (panel * steps + step) * Tiles.StepBytes);
                    }
        });
    }
}

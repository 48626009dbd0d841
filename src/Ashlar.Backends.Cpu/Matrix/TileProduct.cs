using Iced.Intel;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>What the tile unit multiplies: the types of the left and the right operand.</summary>
enum TileProduct : byte
{
    /// <summary>bfloat16, summed in float32: <c>tdpbf16ps</c>.</summary>
    BF16,
    /// <summary>int8 by int8, summed in int32: <c>tdpbssd</c>.</summary>
    SignedSigned,
    /// <summary>int8 by uint8: <c>tdpbsud</c>.</summary>
    SignedUnsigned,
    /// <summary>uint8 by int8: <c>tdpbusd</c>.</summary>
    UnsignedSigned,
    /// <summary>uint8 by uint8: <c>tdpbuud</c>.</summary>
    UnsignedUnsigned,
}

/// <summary>The types of each product.</summary>
static class TileProducts
{
    extension(TileProduct product)
    {
        /// <summary>The product of operands of these types; null where the tile unit has none.</summary>
        public static TileProduct? Of(DType left, DType right) => (left, right) switch
        {
            (DType.BFloat16, DType.BFloat16) => TileProduct.BF16,
            (DType.Int8, DType.Int8) => TileProduct.SignedSigned,
            (DType.Int8, DType.UInt8) => TileProduct.SignedUnsigned,
            (DType.UInt8, DType.Int8) => TileProduct.UnsignedSigned,
            (DType.UInt8, DType.UInt8) => TileProduct.UnsignedUnsigned,
            _ => null,
        };

        /// <summary>Type of the left operand.</summary>
        public DType Left => product switch
        {
            TileProduct.BF16 => DType.BFloat16,
            TileProduct.SignedSigned or TileProduct.SignedUnsigned => DType.Int8,
            _ => DType.UInt8,
        };

        /// <summary>Type of the right operand.</summary>
        public DType Right => product switch
        {
            TileProduct.BF16 => DType.BFloat16,
            TileProduct.SignedSigned or TileProduct.UnsignedSigned => DType.Int8,
            _ => DType.UInt8,
        };

        /// <summary>Type of the sums: float32 or int32, four bytes in any case.</summary>
        public DType Sum => product == TileProduct.BF16 ? DType.Float32 : DType.Int32;

        /// <summary>Bytes of an element of either operand.</summary>
        public int ElementBytes => product == TileProduct.BF16 ? 2 : 1;

        /// <summary>Writes the instruction that adds a product of two tiles to a tile of sums.</summary>
        public void Multiply(Assembler x, AssemblerRegisterTMM sum, AssemblerRegisterTMM left, AssemblerRegisterTMM right)
        {
            switch (product)
            {
                case TileProduct.BF16: x.tdpbf16ps(sum, left, right); break;
                case TileProduct.SignedSigned: x.tdpbssd(sum, left, right); break;
                case TileProduct.SignedUnsigned: x.tdpbsud(sum, left, right); break;
                case TileProduct.UnsignedSigned: x.tdpbusd(sum, left, right); break;
                default: x.tdpbuud(sum, left, right); break;
            }
        }
    }
}

/// <summary>The geometry that all products share, because a row of a tile is 64 bytes and inner indices go in groups of four
/// bytes.</summary>
/// <remarks>
/// A tile of the left operand is 16 rows by 64 bytes of inner indices; one of the right is 16 groups (two bfloat16 or four bytes
/// of consecutive inner indices) by 16 columns; a tile of sums is 16 by 16. A step is 64 bytes of inner indices. Panels are two
/// tiles wide: for each step the two tiles follow each other. What pads a panel is zero.
/// </remarks>
static class Tiles
{
    /// <summary>Rows of a tile of the left operand, columns of one of the right.</summary>
    public const int Side = 16;

    /// <summary>Bytes of a row of a tile.</summary>
    public const int RowBytes = 64;

    /// <summary>Bytes of a tile.</summary>
    public const int Bytes = Side * RowBytes;

    /// <summary>Rows or columns of a panel.</summary>
    public const int PanelSide = 2 * Side;

    /// <summary>Bytes that a step takes of a panel of two tiles.</summary>
    public const int StepBytes = 2 * Bytes;

    /// <summary>Steps of an inner axis.</summary>
    public static long Steps(long inner, int elementBytes) => (inner * elementBytes + RowBytes - 1) / RowBytes;
}

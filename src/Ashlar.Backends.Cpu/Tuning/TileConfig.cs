namespace Ashlar.Backends.Cpu.Tuning;

/// <summary>How a product on the tile unit is cut, where tuning chose: into <see cref="TileBlocks"/> or
/// <see cref="StripBlocks"/>.</summary>
abstract record TileConfig
{
    /// <summary>The config of this text; null where it is none.</summary>
    public static TileConfig? Parse(string text) => (TileConfig?)StripBlocks.Parse(text) ?? TileBlocks.Parse(text);
}

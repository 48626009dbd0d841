using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>Which packed encoding holds the blocks of a file's type, and how their codes get there.</summary>
/// <remarks>
/// A type whose codes all mean values of a table of 16 becomes four bits; any other's values fit into signed bytes. Nothing is
/// quantised anew, but scales and minima are rounded to float16.
/// </remarks>
static class BlockPacking
{
    /// <summary>The encoding.</summary>
    public static WeightEncoding EncodingOf(BlockCodec codec)
    {
        int block = Math.Min(codec.SubBlock, 32);
        foreach (var table in Enum.GetValues<WeightTable>())
        {
            var encoding = WeightEncoding.Int4(block, codec.HasMins, table);
            if (Codes(codec, encoding, out _) is not null) return encoding;
        }
        return WeightEncoding.Int8(block, codec.HasMins);
    }

    /// <summary>The matrix of an entry, [outputs, inputs], row by row from the mapped file.</summary>
    public static WeightSource Source(WeightFile file, WeightEntry entry)
    {
        var codec = BlockCodec.Of(entry.Type);
        long columns = entry.RowElements, rows = entry.Elements / columns;
        long rowBytes = columns / codec.Elements * codec.Bytes;
        var encoding = EncodingOf(codec);
        byte[] codes = Codes(codec, encoding, out float factor)
            ?? [.. codec.Table.ToArray().Select(value => unchecked((byte)(sbyte)value))];
        bool isSame = codes.Index().All(pair => pair.Index == pair.Item);
        return WeightSource.OfBlocks(rows, columns, codec.SubBlock, (first, count, to, scales, minima) =>
        {
            codec.Unpack(file.Span(entry, first * rowBytes, checked((int)(count * rowBytes))), to, scales, minima);
            if (factor != 1)
                foreach (ref float scale in scales) scale *= factor;
            if (isSame) return;
            for (int i = 0; i < to.Length; i++) to[i] = codes[to[i]];
        });
    }

    // Of each code of the file, that of the encoding's table; null where the table lacks a value. Files may keep twice the values
    // and half the scale, so that all values are whole (MXFP4).
    static byte[]? Codes(BlockCodec codec, WeightEncoding encoding, out float factor)
    {
        var from = codec.Table;
        foreach (float tried in (float[])[1, 2])
        {
            factor = tried;
            if (from.Length > 16) break;
            byte[] codes = new byte[from.Length];
            int i = 0;
            for (; i < from.Length && encoding.Values.IndexOf(from[i] / tried) is >= 0 and var at; i++) codes[i] = (byte)at;
            if (i == from.Length) return codes;
        }
        factor = 1;
        return null;
    }
}

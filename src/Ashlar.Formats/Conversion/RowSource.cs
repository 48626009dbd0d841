namespace Ashlar.Formats;

/// <summary>Weights that are made row by row of other weights: taken over, converted, put in another order, stacked.</summary>
static class RowSource
{
    const int PieceBytes = 4 << 20;

    /// <summary>Where a row of a new weight comes from.</summary>
    public readonly record struct Place(WeightEntry Entry, long Row);

    /// <summary>A weight whose rows are rows of others.</summary>
    /// <param name="file">Stays open until the weight was written.</param>
    /// <param name="name">The new name.</param>
    /// <param name="type">The new type.</param>
    /// <param name="extents">The new extents.</param>
    /// <param name="place">Of each row, counted over all outer axes.</param>
    /// <param name="plus">What is added to every element.</param>
    public static NamedWeight Gather(WeightFile file, string name, WeightType type, ValueList<long> extents, Func<long,
        Place> place, float plus = 0)
    {
        float[]? values = null;
        return Make(name, type, extents, (row, into) =>
        {
            var (entry, from) = place(row);
            long rowBytes = entry.RowElements / entry.Type.BlockElements * entry.Type.BlockBytes;
            var raw = file.Span(entry, from * rowBytes, checked((int)rowBytes));
            if (entry.Type == type && plus == 0)
            {
                raw.CopyTo(into);
                return;
            }
            values ??= new float[entry.RowElements];
            BlockCodec.Of(entry.Type).Decode(raw, values);
            if (plus != 0)
                foreach (ref float value in values.AsSpan()) value += plus;
            BlockCodec.Of(type).Encode(values, into);
        });
    }

    /// <summary>A weight that is computed at once, when its turn comes: for what cannot be made row by row.</summary>
    public static NamedWeight Compute(string name, WeightType type, ValueList<long> extents, Func<float[]> make)
    {
        float[]? values = null;
        int width = (int)(extents.Count == 0 ? 1 : extents[^1]);
        return Make(name, type, extents, (row, into) =>
        {
            values ??= make();
            BlockCodec.Of(type).Encode(values.AsSpan((int)row * width, width), into);
        });
    }

    /// <summary>A weight whose rows are filled in one by one.</summary>
    public static NamedWeight Make(string name, WeightType type, ValueList<long> extents, RowWriter fill) =>
        new(name, type, extents, stream =>
    {
        long width = extents.Count == 0 ? 1 : extents[^1], rows = 1;
        for (int axis = 0; axis < extents.Count - 1; axis++) rows *= extents[axis];
        int rowBytes = checked((int)(width / type.BlockElements * type.BlockBytes));
        if (rowBytes == 0) return;
        int pieceRows = (int)Math.Clamp(PieceBytes / rowBytes, 1, rows);
        byte[] piece = new byte[(long)pieceRows * rowBytes];
        for (long row = 0; row < rows;)
        {
            int count = (int)Math.Min(pieceRows, rows - row);
            for (int i = 0; i < count; i++) fill(row++, piece.AsSpan(i * rowBytes, rowBytes));
            stream.Write(piece, 0, count * rowBytes);
        }
    });

    /// <summary>All elements of a weight as float32.</summary>
    public static float[] Values(WeightFile file, WeightEntry entry)
    {
        float[] values = new float[checked((int)entry.Elements)];
        BlockCodec.Of(entry.Type).Decode(file.Bytes(entry).Span, values);
        return values;
    }

    public delegate void RowWriter(long row, Span<byte> into);
}

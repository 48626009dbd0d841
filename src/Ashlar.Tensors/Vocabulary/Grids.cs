namespace Ashlar;

/// <summary>Matrices from vectors, coordinates of grids, and products of blocks.</summary>
public static class Grids
{
    extension(Tensor)
    {
        /// <summary>The coordinates of a grid: one tensor for each axis, all of the grid's shape.</summary>
        /// <param name="axes">Vectors of coordinates.</param>
        /// <param name="cartesian">The first two axes change places, so that the first vector runs along the columns: NumPy's
        /// <c>indexing="xy"</c>. Else <c>"ij"</c>.</param>
        /// <returns>As many tensors of [length of the first, length of the second, ...].</returns>
        /// <exception cref="ShapeException">ASH0105: one is no vector.</exception>
        public static Tensor[] Meshgrid(ReadOnlySpan<Tensor> axes, bool cartesian = false)
        {
            var vectors = axes.ToArray();
            foreach (var vector in vectors)
                if (vector.Rank != 1) throw new ShapeException("ASH0105",
                    $"Meshgrid needs vectors, but got {vector.Type}.", "flatten it first.");
            int[] place = [.. Enumerable.Range(0, vectors.Length)];
            if (cartesian && place.Length > 1) (place[0], place[1]) = (1, 0);
            var shape = new Extent[vectors.Length];
            for (int i = 0; i < shape.Length; i++) shape[place[i]] = vectors[i].Shape[0];
            return [.. vectors.Select((vector, i) =>
                vector.Reshape([.. Enumerable.Range(0, shape.Length).Select(axis => axis == place[i] ? shape[axis] : 1)])
                    .BroadcastTo(shape))];
        }

        /// <summary>The indices of the lower triangle of a matrix, row by row.</summary>
        /// <param name="rows">How many rows.</param>
        /// <param name="columns">How many columns; null: as many as rows.</param>
        /// <param name="diagonal">The last one that belongs to it; 0 is the main one, positive ones lie above.</param>
        /// <returns>int32 vectors of equal length.</returns>
        public static (Tensor Rows, Tensor Columns) TrilIndices(int rows, int? columns = null, long diagonal = 0) =>
            Where(rows, columns ?? rows, (row, column) => column - row <= diagonal);

        /// <summary>The indices of the upper triangle of a matrix, row by row.</summary>
        /// <param name="rows">How many rows.</param>
        /// <param name="columns">How many columns; null: as many as rows.</param>
        /// <param name="diagonal">The first one that belongs to it; 0 is the main one, positive ones lie above.</param>
        /// <returns>int32 vectors of equal length.</returns>
        public static (Tensor Rows, Tensor Columns) TriuIndices(int rows, int? columns = null, long diagonal = 0) =>
            Where(rows, columns ?? rows, (row, column) => column - row >= diagonal);
    }

    extension(Tensor x)
    {
        /// <summary>A matrix with this vector on a diagonal; for a matrix, its diagonal, as NumPy's <c>diag</c>.</summary>
        /// <param name="offset">Which diagonal: 0 the main one, positive ones above it.</param>
        /// <exception cref="ShapeException">ASH0105: there are neither 1 nor 2 axes.</exception>
        public Tensor Diag(long offset = 0) => x.Rank switch
        {
            1 => x.DiagonalMatrix(offset),
            2 => x.Diagonal(offset),
            _ => throw new ShapeException("ASH0105", $"Diag needs a vector or a matrix, but got {x.Type}.",
                "use DiagonalMatrix or Diagonal, which work on the last axes."),
        };

        /// <summary>Matrices that hold the last axis on a diagonal, and zeros elsewhere.</summary>
        /// <param name="offset">Which diagonal: 0 the main one, positive ones above it.</param>
        /// <returns>[..., N + |offset|, N + |offset|] for [..., N]</returns>
        public Tensor DiagonalMatrix(long offset = 0)
        {
            if (x.Rank == 0)
                throw new ShapeException("ASH0105", $"DiagonalMatrix needs a vector, but got {x.Type}.",
                    "add an axis with Unsqueeze(0).");
            // Above the main diagonal the row tells the element, below it the column.
            long more = Math.Abs(offset);
            var lined = x.Pad([(0, more)]).Unsqueeze(offset < 0 ? -2 : -1);
            Extent size = x.Shape[^1] + more;
            Shape matrix = [.. x.Shape[..^1], size, size];
            var difference = Tensor.Iota(matrix, -1, DType.Int64) - Tensor.Iota(matrix, -2, DType.Int64);
            return Tensor.Where(difference.EqualTo(offset), lined, lined.ZerosLike());
        }

        /// <summary>Each element times the whole of another tensor: blocks, as many as there are elements.</summary>
        /// <param name="other">Of any rank; the lesser rank is filled up with axes of 1 in front.</param>
        /// <returns>Each extent is the product of both.</returns>
        public Tensor Kron(Tensor other)
        {
            int rank = Math.Max(x.Rank, other.Rank);
            Extent[] outer = [.. Enumerable.Repeat((Extent)1, rank - x.Rank), .. x.Shape],
                inner = [.. Enumerable.Repeat((Extent)1, rank - other.Rank), .. other.Shape];
            var blocks = x.Reshape([.. outer.SelectMany(extent => new Extent[] { extent, 1 })])
                * other.Reshape([.. inner.SelectMany(extent => new Extent[] { 1, extent })]);
            return blocks.Reshape([.. outer.Zip(inner, (a, b) => a * b)]);
        }

        /// <summary>Turned by right angles, from the first axis towards the second.</summary>
        /// <param name="times">How many right angles; negative ones turn back.</param>
        /// <param name="first">The axis that is turned from.</param>
        /// <param name="second">The axis that is turned to.</param>
        /// <exception cref="ShapeException">ASH0143: both axes are one.</exception>
        public Tensor Rot90(int times = 1, int first = 0, int second = 1)
        {
            (first, second) = (x.Shape.Axis(first), x.Shape.Axis(second));
            if (first == second)
                throw new ShapeException("ASH0143", $"Rot90 of {x.Type} was given axis {first} twice.", "name two axes.");
            return (((times % 4) + 4) % 4) switch
            {
                0 => x,
                1 => x.Flip(second).Transpose(first, second),
                2 => x.Flip(first, second),
                _ => x.Transpose(first, second).Flip(second),
            };
        }

        /// <summary>Cuts an axis into parts that differ by one element at most, longer ones first.</summary>
        /// <param name="parts">How many.</param>
        /// <param name="axis">The axis.</param>
        /// <exception cref="ShapeException">ASH0154: the number of parts is below 1.</exception>
        public Tensor[] ArraySplit(int parts, int axis = 0)
        {
            axis = x.Shape.Axis(axis);
            if (parts < 1)
                throw new ShapeException("ASH0154", $"ArraySplit cannot cut axis {axis} of {x.Type} into {parts} parts.",
                    "ask for at least one part.");
            var (length, longer) = Math.DivRem(x.Shape[axis].Value, parts);
            return x.Split([.. Enumerable.Range(0, parts).Select(part => (Extent)(part < longer ? length + 1 : length))], axis);
        }

        /// <summary>The vector at right angles to two vectors of three elements.</summary>
        /// <param name="other">Broadcasts.</param>
        /// <param name="axis">The axis of the vectors, of extent 3.</param>
        /// <exception cref="ShapeException">ASH0105: the axis has not 3 elements.</exception>
        public Tensor Cross(Tensor other, int axis = -1)
        {
            if (x.Rank == 0 || other.Rank == 0 || x.Shape[x.Shape.Axis(axis)] != 3 || other.Shape[other.Shape.Axis(axis)] != 3)
                throw new ShapeException("ASH0105", $"Cross needs axes {axis} of 3 elements, but got {x.Type} and {other.Type}.",
                    "name the axis of the vectors.");
            return (x.Roll(-1, axis) * other.Roll(1, axis)) - (x.Roll(1, axis) * other.Roll(-1, axis));
        }
    }

    static (Tensor, Tensor) Where(int rows, int columns, Func<long, long, bool> belongs)
    {
        if (rows < 0 || columns < 0)
            throw new ShapeException("ASH0101", $"a matrix cannot have {rows} rows and {columns} columns.", "use 0 or more.");
        var (down, across) = (new List<int>(), new List<int>());
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                if (belongs(row, column))
                {
                    down.Add(row);
                    across.Add(column);
                }
        return (Tensor.From<int>(down.ToArray()), Tensor.From<int>(across.ToArray()));
    }
}

namespace Ashlar;

/// <summary>Square matrices: determinants, solutions, inverses, Cholesky factors, powers. The last two axes; leading ones are
/// batch.</summary>
/// <remarks>
/// Each column is a step of the recorded program, so matrices have at most 64 rows. Values are computed in float32, or float64
/// for that type. Whether a matrix is singular is not known before the program runs: then the results are infinite or NaN.
/// </remarks>
public static class LinearAlgebra
{
    const long MostRows = 64;

    extension(Tensor a)
    {
        /// <summary>The determinant.</summary>
        /// <returns>[...] for [..., N, N]. The gradient is that of regular matrices: NaN or infinite for singular ones.</returns>
        /// <exception cref="ShapeException">ASH0187: the matrix is not square, or has more than 64 rows.</exception>
        public Tensor Det()
        {
            Square("Det", a);
            return Tensor.CustomGradient(
                x => Eliminated(x[0], null).Determinant,
                (dy, y, x) => [(dy * y).Unsqueeze(-1).Unsqueeze(-1) * x[0].Inverse().Transpose()],
                [Float(a)], "det").Cast(Promotion.Float(a.DType));
        }

        /// <summary>The X of a X = b, by elimination with row pivots.</summary>
        /// <param name="b">[..., N, M], or [N] for one right-hand side; leading axes broadcast.</param>
        /// <returns>[..., N, M], or [..., N]</returns>
        /// <exception cref="ShapeException">ASH0187: the matrix is not square, has more than 64 rows, or as many as
        /// b.</exception>
        public Tensor Solve(Tensor b)
        {
            Square("Solve", a);
            if (b.Rank == 1) return a.Solve(b.Unsqueeze(-1)).Squeeze(-1);
            if (b.Rank == 0 || b.Shape[^2] != a.Shape[^1]) throw new ShapeException("ASH0187",
                $"Solve cannot solve {a.Type} for the right-hand side {b.Type}: it needs {a.Shape[^1]} rows.",
                "pass [..., N, M].");
            var dtype = Promotion.Float(Promotion.Type("Solve", a, b));
            var batch = Shape.Broadcast(a.Shape[..^2], b.Shape[..^2]) ?? throw new ShapeException("ASH0142",
                $"Solve cannot broadcast the leading axes of {a.Type} and {b.Type}.",
                "make them equal, or 1 where one matrix repeats.");
            var matrix = a.Cast(dtype.Compute).BroadcastTo([.. batch, .. a.Shape[^2..]]);
            var right = b.Cast(dtype.Compute).BroadcastTo([.. batch, .. b.Shape[^2..]]);
            return Tensor.CustomGradient(
                x => Eliminated(x[0], x[1]).Solution,
                (dy, y, x) =>
                {
                    var pulled = Eliminated(x[0].Transpose(), dy).Solution;
                    return [-pulled.MatMul(y.Transpose()), pulled];
                },
                [matrix, right], "solve").Cast(dtype);
        }

        /// <summary>The inverse matrix.</summary>
        /// <returns>[..., N, N]</returns>
        /// <exception cref="ShapeException">ASH0187: the matrix is not square, or has more than 64 rows.</exception>
        public Tensor Inverse()
        {
            Square("Inverse", a);
            return a.Solve(Tensor.Eye(a.Shape[^1], dtype: Promotion.Float(a.DType)));
        }

        /// <summary>The lower triangle L of L L^T = a, for symmetric positive definite matrices. Only the lower triangle is
        /// read.</summary>
        /// <returns>[..., N, N]; NaN where the matrix is not positive definite. The gradient is with respect to the lower
        /// triangle.</returns>
        /// <exception cref="ShapeException">ASH0187: the matrix is not square, or has more than 64 rows.</exception>
        public Tensor Cholesky()
        {
            long n = Square("Cholesky", a);
            var rest = Float(a);
            var columns = new Tensor[n];
            for (int k = 0; k < n; k++)
            {
                // [..., N - k, N - k] is left; its first column, scaled, is the next one of the factor
                var column = rest.Narrow(-1, 0, 1) * rest.Narrow(-1, 0, 1).Narrow(-2, 0, 1).Rsqrt();
                columns[k] = column.Pad([(k, 0), (0, 0)]);
                if (k + 1 == n) break;
                var below = column.Narrow(-2, 1, n - k - 1);
                rest = rest.Narrow(-2, 1, n - k - 1).Narrow(-1, 1, n - k - 1) - below * below.Transpose();
            }
            return (n == 0 ? rest : Tensor.Concat(columns, -1)).Cast(Promotion.Float(a.DType));
        }

        /// <summary>The matrix times itself.</summary>
        /// <param name="exponent">How often; 0 gives the identity, negative ones powers of the inverse.</param>
        /// <returns>[..., N, N]</returns>
        /// <exception cref="ShapeException">ASH0187: the matrix is not square, or has more than 64 rows and is to be
        /// inverted.</exception>
        public Tensor MatrixPower(int exponent)
        {
            Square("MatrixPower", a, exponent < 0 ? MostRows : long.MaxValue);
            var factor = exponent < 0 ? a.Inverse() : a;
            Tensor? power = null;
            for (uint rest = (uint)Math.Abs((long)exponent); rest > 0; rest >>= 1)
            {
                if ((rest & 1) != 0) power = power is null ? factor : power.MatMul(factor);
                if (rest > 1) factor = factor.MatMul(factor);
            }
            return power ?? Tensor.Eye(a.Shape[^1], dtype: factor.DType).BroadcastTo([.. a.Shape]);
        }
    }

    static Tensor Float(Tensor x) => x.Cast(Promotion.Float(x.DType).Compute);

    static long Square(string what, Tensor a, long most = MostRows) =>
        a.Rank >= 2 && a.Shape[^1] == a.Shape[^2] && a.Shape[^1].TryGetValue(out long n) && n <= most
            ? n
            : throw new ShapeException("ASH0187",
            $"{what} needs square matrices, the last two axes, of at most {most} rows, but got {a.Type}.", "pass [..., N, N].");

    // Gauss and Jordan: column by column the row of the greatest magnitude comes up, and all others lose their part of it.
    static (Tensor Determinant, Tensor Solution) Eliminated(Tensor a, Tensor? right)
    {
        long n = a.Shape[^1].Value;
        var rows = right is null ? a : Tensor.Concat([a, right], -1);   // [..., N, N + M]
        var determinant = Tensor.Ones(a.Shape[..^2], a.DType);
        var place = Tensor.Arange(n).Unsqueeze(-1);                     // [N, 1]
        for (int k = 0; k < n; k++)
        {
            var column = rows.Narrow(-1, k, 1);                                                     // [..., N, 1]
            var best = Tensor.Where(place >= k, column.Abs(), -1.0).ArgMax(-2, keepAxis: true);     // [..., 1, 1]
            var picked = place.EqualTo(best);
            var top = rows.Narrow(-2, k, 1);
            var pivot = Tensor.Where(picked, rows, 0.0).Sum(-2, keepAxis: true);                    // the best row
            var head = pivot.Narrow(-1, k, 1);
            determinant *= (head * Tensor.Where(best.EqualTo(k), 1.0, -head.OnesLike())).Squeeze(-1).Squeeze(-1);
            // A determinant of 0 stays 0.
            var scaled = pivot / (right is null ? Tensor.Where(head.EqualTo(0), 1.0, head) : head);
            var swapped = Tensor.Where(picked, top, rows);
            rows = Tensor.Where(place.EqualTo(k), scaled, swapped - swapped.Narrow(-1, k, 1) * scaled);
        }
        return (determinant, right is null ? rows : rows.Narrow(-1, n, right.Shape[^1]));
    }
}

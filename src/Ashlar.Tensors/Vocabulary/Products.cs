namespace Ashlar;

/// <summary>Sums of products: matrix products, einsum and their kin. All are one op, Contract.</summary>
public static class Products
{
    extension(Tensor)
    {
        /// <summary>Products of operands summed over labels: <c>Einsum("bij,bjk->bik", a, b)</c>.</summary>
        /// <param name="formula">
        /// A letter per axis; a letter missing in the result is summed; one repeated within an operand takes the diagonal;
        /// <c>...</c> broadcasts; without an arrow the result has the letters that occur once, in alphabetical order.
        /// </param>
        /// <param name="operands">One tensor per group of letters. They are multiplied from left to right.</param>
        /// <exception cref="ShapeException">The formula is malformed, or does not fit the shapes.</exception>
        public static Tensor Einsum(string formula, params ReadOnlySpan<Tensor> operands)
        {
            var parsed = EinsumFormula.Parse(formula, operands);
            var dtype = Promotion.Number(Promotion.Type("Einsum", [.. operands.ToArray().Select(operand => (Operand)operand)]));
            Labeled? product = null;
            for (int i = 0; i < operands.Length; i++)
            {
                var factor = Diagonals(operands[i].Cast(dtype), parsed.Operands[i]);
                if (product is not { } sofar)
                {
                    product = factor;
                    continue;
                }
                var later = parsed.Operands[(i + 1)..].SelectMany(labels => labels).Concat(parsed.Result).ToHashSet();
                int[] keep = i == operands.Length - 1
                    ? parsed.Result
                    : [.. sofar.Names.Union(factor.Names).Where(later.Contains)];
                product = Labeled.Product(sofar, factor, keep, Accumulated(dtype));
            }
            return new(product!.Value.Order(parsed.Result).Node);
        }
    }

    extension(Tensor a)
    {
        /// <summary>The matrix product of the last two axes, as NumPy's <c>matmul</c>: leading axes broadcast, vectors work on
        /// either side.</summary>
        /// <param name="b">[..., K, N] or [K]</param>
        /// <returns>[..., M, N] for [..., M, K]; float sums are kept in float32 at least.</returns>
        public Tensor MatMul(Tensor b)
        {
            if (a.Rank == 0 || b.Rank == 0)
                throw new ShapeException("ASH0159",
                    $"MatMul needs at least one axis on each side, but got {a.Type} and {b.Type}.",
                    "multiply by a scalar with *.");
            var inner = b.Shape[b.Rank == 1 ? 0 : b.Rank - 2];
            if (a.Shape[^1] != inner)
                throw new ShapeException("ASH0159",
                    $"MatMul cannot multiply {a.Type} by {b.Type}: the last axis of the first is {a.Shape[^1]} long, the one it meets is {inner}.",
                    b.Rank > 1 && a.Shape[^1] == b.Shape[^1] ? "transpose the second: a.MatMul(b.Transpose())."
                    : a.Rank > 1 && a.Shape[^2] == inner
                    ? "transpose the first: a.Transpose().MatMul(b)."
                    : "check the layer's width: [M, K] times [K, N].");
            // K, M and N have the labels 0, 1 and 2; leading axes are numbered from the last, below 0
            int leadA = Math.Max(0, a.Rank - 2), leadB = Math.Max(0, b.Rank - 2), lead = Math.Max(leadA, leadB);
            if (Shape.Broadcast(a.Shape[..leadA], b.Shape[..leadB]) is null)
                throw new ShapeException("ASH0142",
                    $"MatMul cannot broadcast the leading axes of {a.Type} and {b.Type}.",
                    "make them equal, or 1 where one matrix repeats.");
            int[] left = [.. Enumerable.Range(-leadA, leadA), .. a.Rank > 1 ? [1] : (int[])[], 0];
            int[] right = [.. Enumerable.Range(-leadB, leadB), 0, .. b.Rank > 1 ? [2] : (int[])[]];
            int[] keep = [.. Enumerable.Range(-lead, lead), .. a.Rank > 1 ? [1] : (int[])[], .. b.Rank > 1 ? [2] : (int[])[]];
            return Multiply("MatMul", a, left, b, right, keep);
        }

        /// <summary>The sum of products of two vectors; for more axes, of the last axis of this and the second last of the
        /// other.</summary>
        public Tensor Dot(Tensor b) => a.Rank <= 2 && b.Rank <= 2 ? a.MatMul(b) : a.TensorDot(b, [-1], [-2]);

        /// <summary>Every element of this vector times every one of another.</summary>
        /// <returns>[M, N]</returns>
        public Tensor Outer(Tensor b) => a.Reshape(a.Shape.Elements, 1) * b.Reshape(1, b.Shape.Elements);

        /// <summary>Sums of products over pairs of axes; the result has the other axes of this, then those of the
        /// other.</summary>
        /// <param name="b">The other factor.</param>
        /// <param name="axesA">Axes of this tensor that vanish.</param>
        /// <param name="axesB">Axes of the other, one for each.</param>
        public Tensor TensorDot(Tensor b, ReadOnlySpan<int> axesA, ReadOnlySpan<int> axesB)
        {
            if (axesA.Length != axesB.Length)
                throw new ShapeException("ASH0123",
                    $"TensorDot of {a.Type} and {b.Type} was given {axesA.Length} and {axesB.Length} axes.",
                    "name as many on each side.");
            int[] left = [.. Enumerable.Range(0, a.Rank)], right = [.. Enumerable.Range(a.Rank, b.Rank)];
            for (int i = 0; i < axesA.Length; i++)
            {
                int first = a.Shape.Axis(axesA[i]), second = b.Shape.Axis(axesB[i]);
                if (a.Shape[first] != b.Shape[second])
                    throw new ShapeException("ASH0124",
                        $"TensorDot pairs axis {first} of {a.Type} with axis {second} of {b.Type}, but {a.Shape[first]} is not {b.Shape[second]}.",
                        "name axes of equal extent.");
                right[second] = left[first];
            }
            int[] keep = [.. left.Where(label => !right.Contains(label)), .. right.Where(label => !left.Contains(label))];
            return Multiply("TensorDot", a, left, b, right, keep);
        }

        /// <summary>Sums of products over the last <paramref name="axes"/> axes of this and the first ones of the
        /// other.</summary>
        public Tensor TensorDot(Tensor b, int axes = 2) =>
            a.TensorDot(b, [.. Enumerable.Range(a.Rank - axes, axes)], [.. Enumerable.Range(0, axes)]);
    }

    internal static Tensor Multiply(string what, Tensor a, int[] left, Tensor b, int[] right, int[] keep)
    {
        var dtype = Promotion.Number(Promotion.Type(what, a, b));
        return new(Labeled.Product(new(Nodes.Cast(a.Node, dtype), left), new(Nodes.Cast(b.Node, dtype), right), keep,
            Accumulated(dtype)).Node);
    }

    // Sums of small integers would wrap in their own type.
    static DType Accumulated(DType dtype) => dtype.IsFloat ? dtype : dtype.Compute;

    // A label that an operand repeats: its diagonal, which becomes the last axis.
    static Labeled Diagonals(Tensor x, int[] labels)
    {
        for (int second = labels.Length - 1; second > 0; second--)
        {
            int first = Array.IndexOf(labels, labels[second]);
            if (first == second) continue;
            int label = labels[second];
            if (x.Shape[first] != x.Shape[second])
                throw new ShapeException("ASH0158",
                    $"the einsum label '{(char)label}' is repeated in {x.Type}, but axes {first} and {second} differ.",
                    "a diagonal needs equal extents.");
            x = x.Diagonal(0, first, second);
            labels = [.. labels.Where((_, axis) => axis != first && axis != second), label];
            second = labels.Length;
        }
        return new(x.Node, labels);
    }
}

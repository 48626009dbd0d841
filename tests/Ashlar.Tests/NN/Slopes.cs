using Ashlar.NN;

namespace Ashlar.Tests.NN;

/// <summary>Compares gradients of weights with finite differences in one random direction, in double precision.</summary>
static class Slopes
{
    const double Step = 1e-5;

    /// <summary>Checks <c>loss.Gradient(weights)</c>, for float64 weights on the reference interpreter.</summary>
    public static void Check(Weights weights, Func<Tensor> loss, double tolerance = 1e-6)
    {
        Tensor[] at = [.. weights.Parameters.Select(parameter => parameter.Value.Detach())];
        Tensor[] direction = [.. at.Select((value, i) => Tensor.RandomNormal(500 + i, value.Shape, DType.Float64).Detach())];
        Tensor[] gradients = loss().Gradient(weights);
        double exact = at.Select((_, i) => (gradients[i] * direction[i]).Sum().Item<double>()).Sum();
        double slope = (Moved(Step) - Moved(-Step)) / (2 * Step);
        Move(0);
        Assert.True(Math.Abs(slope) > 1e-6, "the loss does not depend on the weights");
        Assert.True(Math.Abs(slope - exact) <= tolerance * Math.Max(1, Math.Abs(slope)),
            $"the gradient along the direction is {exact:R}, the difference quotient {slope:R}");

        double Moved(double step)
        {
            Move(step);
            return loss().Item<double>();
        }

        void Move(double step)
        {
            for (int i = 0; i < at.Length; i++) weights.Parameters[i].Value = (at[i] + direction[i] * step).Detach();
        }
    }

    /// <summary>A scalar that depends on every element of <paramref name="y"/> in its own way.</summary>
    public static Tensor Mixed(Tensor y) => (y * Tensor.RandomNormal(77, y.Shape, y.DType)).Sum();
}

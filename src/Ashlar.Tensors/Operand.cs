using System.Globalization;

namespace Ashlar;

/// <summary>A tensor, or a number that takes the element type of the tensor beside it.</summary>
/// <remarks>
/// A number never widens: a float32 tensor times 2.0 stays float32. A number with a fraction makes an integer tensor float32.
/// A number is part of the program: computing with another one compiles again. <c>Tensor.Of(number)</c> is data and does not.
/// </remarks>
public readonly struct Operand
{
    readonly Tensor? tensor;
    readonly double real;
    readonly long integer;
    readonly bool isInteger;

    Operand(Tensor tensor) => this.tensor = tensor ?? throw new ArgumentNullException(nameof(tensor));

    Operand(double number) => real = number;

    Operand(long number) => (integer, real, isInteger) = (number, number, true);

    /// <summary>A tensor.</summary>
    public static implicit operator Operand(Tensor tensor) => new(tensor);

    /// <summary>A number.</summary>
    public static implicit operator Operand(float number) => new((double)number);

    /// <summary>A number.</summary>
    public static implicit operator Operand(double number) => new(number);

    /// <summary>A whole number.</summary>
    public static implicit operator Operand(int number) => new((long)number);

    /// <summary>A whole number.</summary>
    public static implicit operator Operand(long number) => new(number);

    /// <summary>True or false.</summary>
    public static implicit operator Operand(bool value) => new(value ? 1L : 0L);

    /// <summary>The tensor; null for a number.</summary>
    internal Tensor? Tensor => tensor;

    internal Shape Shape => tensor?.Shape ?? Shape.Scalar;

    /// <summary>The element type that a number alone has.</summary>
    internal DType DType => tensor?.DType ?? (isInteger ? DType.Int32 : DType.Float32);

    /// <summary>The number; null for a tensor.</summary>
    internal double? Number => tensor is null ? real : null;

    internal bool IsInteger => tensor is null && isInteger;

    /// <summary>As a tensor: a number becomes a scalar of float32 or int32.</summary>
    internal Tensor ToTensor() => tensor ?? new(ToNode("a number", DType, Shape.Scalar));

    /// <summary>In an element type and shape that it can be cast and stretched to.</summary>
    internal Node ToNode(string what, DType dtype, Shape shape)
    {
        if (tensor is not null) return Nodes.Stretch(Nodes.Cast(tensor.Node, dtype), shape);
        if (!isInteger) return Nodes.Constant(real, dtype, shape);
        if (!dtype.IsFloat)
        {
            var (least, greatest) = Range(dtype);
            if (integer < least || integer > greatest)
                throw new DTypeException("ASH0221",
                    $"{what} was given {integer}, which {dtype.Name} cannot hold: it goes from {least} to {greatest}.",
                    "cast the tensor to a wider integer type first: x.Cast(DType.Int32).");
        }
        return Nodes.Constant(integer, dtype, shape);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        tensor?.Type
            ?? (isInteger ? integer.ToString(CultureInfo.InvariantCulture) : real.ToString(CultureInfo.InvariantCulture));

    /// <summary>The least and the greatest number of an integer type.</summary>
    internal static (long Least, long Greatest) Range(DType dtype) => dtype switch
    {
        DType.Bool => (0, 1),
        DType.UInt8 => (byte.MinValue, byte.MaxValue),
        DType.Int8 => (sbyte.MinValue, sbyte.MaxValue),
        DType.Int16 => (short.MinValue, short.MaxValue),
        DType.Int32 => (int.MinValue, int.MaxValue),
        _ => (long.MinValue, long.MaxValue),
    };
}

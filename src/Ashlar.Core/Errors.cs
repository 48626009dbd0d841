namespace Ashlar;

/// <summary>A mistake that Ashlar can name: what was wrong, what was found, where, and how to fix it.</summary>
/// <param name="code">Stable code, such as ASH0102; its page is docs/diagnostics/CODE.md.</param>
/// <param name="problem">What was wrong, what was found and where, as sentences.</param>
/// <param name="fix">One concrete action.</param>
public abstract class AshlarException(string code, string problem, string fix)
    : Exception($"{code}: {problem}\nFix: {fix}\nMore: docs/diagnostics/{code}.md")
{
    /// <summary>Stable code of this kind of mistake.</summary>
    public string Code => code;
}

/// <summary>Shapes, axes or extents that an operation needs to agree do not. Codes ASH01xx.</summary>
public sealed class ShapeException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>An element type that an operation cannot take, or two that do not mix. Codes ASH02xx.</summary>
public sealed class DTypeException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>A number that an operation is given is outside of what it can take. Codes from ASH0185.</summary>
public sealed class RangeException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>A graph or its text form is not well formed. Codes ASH03xx.</summary>
public sealed class GraphException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>A traced function did what tracing cannot record, such as reading a value. Codes ASH04xx.</summary>
public sealed class TraceException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>A kernel is not well formed, or reads or writes where it must not. Codes ASH05xx.</summary>
public sealed class KernelException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>A device is missing, unsuitable, or was asked for something it lacks. Codes ASH06xx.</summary>
public sealed class DeviceException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>Memory that a buffer or a program needs is not there. Codes ASH07xx.</summary>
public sealed class OutOfMemoryOnDeviceException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>A file of a model or of a checkpoint cannot be read or written, or does not hold what it says. Codes of
/// ASH04xx.</summary>
public sealed class ModelFileException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>Text or tokens to train on are missing, too few, or not what they should be. Codes of ASH04xx.</summary>
public sealed class DataException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>Weights, a layer or a model do not fit together. Codes from ASH0341.</summary>
public sealed class ModelException(string code, string problem, string fix) : AshlarException(code, problem, fix);

/// <summary>A training cannot begin, go on or resume. Codes from ASH0502.</summary>
public sealed class TrainingException(string code, string problem, string fix) : AshlarException(code, problem, fix);

using System.Diagnostics;

namespace Ashlar.Tiles;

/// <summary>A line of a kernel's source, for messages.</summary>
/// <param name="File">The file's name without its folder, or the method's name where no debug information is there.</param>
/// <param name="Line">Counted from 1; 0 where it is not known.</param>
public sealed record SourceLine(string File, int Line)
{
    /// <summary>The innermost line outside of this library and the system's: the one that the author of a kernel wrote.</summary>
    internal static SourceLine? Here()
    {
        // Methods first, which is quick; the file of one frame only, which is not.
        var frames = new StackTrace(fNeedFileInfo: false).GetFrames();
        for (int depth = 1; depth < frames.Length; depth++)
        {
            var method = DiagnosticMethodInfo.Create(frames[depth]);
            string assembly = method?.DeclaringAssemblyName ?? "";
            if (assembly.StartsWith("Ashlar.Tiles,", StringComparison.Ordinal) || assembly.StartsWith("System.",
                StringComparison.Ordinal)) continue;
            var frame = new StackFrame(depth, needFileInfo: true);
            if (frame.GetFileName() is { } file) return new(Path.GetFileName(file.Replace('\\', '/')), frame.GetFileLineNumber());
            return method is null ? null : new($"{method.DeclaringTypeName}.{method.Name}", 0);
        }
        return null;
    }

    /// <inheritdoc/>
    public override string ToString() => Line == 0 ? File : $"{File}:{Line}";
}

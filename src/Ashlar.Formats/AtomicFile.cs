using System.Runtime.InteropServices;

namespace Ashlar.Formats;

/// <summary>Files that are there whole or not at all: written beside their place, flushed to the disk, then renamed.</summary>
/// <remarks>
/// A rename within a folder is atomic on every system that .NET runs on, so a process that is killed at any moment leaves the
/// file that stood there before, or the new one. The unfinished file has the name <c>.NAME.tmp</c>; the next write of the same
/// file replaces it. Two processes must not write one file at the same time: the second gets an error.
/// </remarks>
public static partial class AtomicFile
{
    /// <summary>Writes a file; a file of that name is replaced once the new one is safe on the disk.</summary>
    /// <param name="path">The file; its folder is made where it does not exist.</param>
    /// <param name="write">Writes the content. The stream is unbuffered: hand it large pieces.</param>
    /// <exception cref="ModelFileException">
    /// The disk is full, the folder cannot be written to, and the like; what stood there before is untouched.
    /// </exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        path = Path.GetFullPath(path);
        string folder = Path.GetDirectoryName(path) ?? throw new ArgumentException($"{path} is a folder.", nameof(path));
        string unfinished = Path.Combine(folder, $".{Path.GetFileName(path)}.tmp");
        try
        {
            Directory.CreateDirectory(folder);
            using (var stream = new FileStream(unfinished, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(unfinished, path, overwrite: true);
            FlushFolder(folder);
        }
        catch (Exception error)
        {
            Discard(unfinished);
            if (error is IOException or UnauthorizedAccessException) throw Failed(path, error);
            throw;
        }
    }

    /// <summary>Writes a file of these bytes.</summary>
    /// <inheritdoc cref="Write(string, Action{Stream})"/>
    public static void Write(string path, ReadOnlyMemory<byte> content) => Write(path, stream => stream.Write(content.Span));

    /// <summary>
    /// Makes the names in a folder last: a file that was created, renamed or removed in it stays so when the power fails.
    /// </summary>
    /// <remarks>Windows keeps names by itself; there this does nothing.</remarks>
    /// <exception cref="IOException">The folder cannot be opened.</exception>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;
        int descriptor = OpenFile(folder, 0);
        if (descriptor < 0) throw new IOException($"{folder}: {Marshal.GetLastPInvokeErrorMessage()}");
        // A file system that cannot flush folders says so with EINVAL; there is nothing more to do then.
        _ = FlushFile(descriptor);
        _ = CloseFile(descriptor);
    }

    /// <summary>The error for a file that could not be written.</summary>
    internal static ModelFileException Failed(string path, Exception error) => new("ASH0418",
        $"{path} could not be written: {error.Message.TrimEnd('.')}. "
        + (File.Exists(path) ? "The file that stood there before is untouched." : "Nothing was left there."),
        "free space on that disk, or name a folder that can be written to.");

    static void Discard(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The error that brought us here says more; the next write replaces the file.
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FlushFile(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int CloseFile(int descriptor);
}

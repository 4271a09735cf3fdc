from .pictures import draw_folder as draw_folder
